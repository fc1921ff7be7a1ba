"""What must outlast a power cut: a file's name does only once the folder that it stands in is written out, too."""

import os
from pathlib import Path


def sync_folder(folder: str | Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
