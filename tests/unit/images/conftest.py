"""Modules that several tests of images use are imported by their names."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
