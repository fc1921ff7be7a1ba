"""What was fetched and unpacked to make layers of: it goes when no build has touched it for a while, since layers are kept elsewhere."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

FOLDERS = ("compiled", "debs", "locks", "roots", "unpacked", "wheels")  # base.lock beside them decides, and stays


def touched(path: Path) -> None:
    """Say that a build uses it."""
    os.utime(path)


def sweep(cache: Path, older_than: timedelta, now: datetime, dry_run: bool = False) -> int:
    """Remove what no build has used for `older_than`; the bytes that were freed, or would be. Others may build meanwhile."""
    before = (now - older_than).timestamp()
    freed = 0
    for path in aged(cache, before):
        freed += sum(file.lstat().st_size for file in [path, *path.rglob("*")] if not file.is_dir())
        if dry_run:
            continue
        if path.is_dir():
            gone = path.with_name(f".{path.name}.gone")  # at once, so that nobody finds half of it
            path.rename(gone)
            shutil.rmtree(gone)
        else:
            path.unlink(missing_ok=True)
    return freed


def aged(cache: Path, before: float) -> Iterator[Path]:
    for name in FOLDERS:
        pattern = "*/*" if name == "compiled" else "*"
        yield from (path for path in (cache / name).glob(pattern) if path.lstat().st_mtime <= before)
