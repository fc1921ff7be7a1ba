from collections.abc import Mapping
from pathlib import Path

import pytest

from lykeion.components.catalogue import Catalogue

REPORT = '''
"""A report."""
from lykeion import Input, Output, component
import helper
from pkg.deep import value

@component(role="report", files=["vocabulary.txt"])
def report(index: Input, page: Output, *, size: int = 3, title: str) -> None:
    """Writes a page.

    With details."""
'''

FILES = {
    "report.py": REPORT,
    "vocabulary.txt": "a b c",
    "helper.py": "import json\nfrom pkg import other\n",
    "pkg/__init__.py": "",
    "pkg/deep.py": "from .near import near\nvalue = 1\n",
    "pkg/near.py": "near = 1\n",
    "pkg/other.py": "x = 1\n",
    "pkg/unused.py": "y = 1\n",
    "unrelated.py": "z = 1\n",
}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    return write(tmp_path / "pipeline", FILES)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "cache" / "components")
