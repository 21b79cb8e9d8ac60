"""Puts files into a folder all together or not at all; other files in it stay as they are."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.errors import DataError

PAGE = "report.html"
PICTURES = "image_[0-9][0-9].png"


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """A temporary folder to write into, whose files move to `folder` when the block ends well.

    The page moves last, so that what it shows is there. After a failure the folder is as it was, and
    gone where it is new. Raises DataError where it cannot be written.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
        try:
            yield unfinished
            _move(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            if new and not any(folder.iterdir()):
                folder.rmdir()
    except OSError as e:
        raise DataError(f"The report cannot be written to {folder}: {e.strerror or e}.") from e


def check_writable(folder: Path) -> None:
    """Raises DataError now where a report could not be written later."""
    with filled(folder):
        pass


def _move(unfinished: Path, folder: Path) -> None:
    written = sorted(unfinished.iterdir(), key=lambda file: (file.name == PAGE, file.name))
    replaces = written and (folder / PAGE).exists()
    older = set(folder.glob(PICTURES)) if replaces else set()
    for file in written:
        file.replace(folder / file.name)
    for picture in older - {folder / file.name for file in written}:
        picture.unlink()  # of an earlier report that showed more
