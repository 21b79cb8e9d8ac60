"""A folder of pictures (any bytes do: the project never looks inside) and a project over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.project import Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, a.png, b.png and sub/c.jpg."""
    place = tmp_path / "pictures"
    (place / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.jpg"):
        (place / name).write_bytes(b"the bytes of " + name.encode())
    return place


@pytest.fixture
def project(folder: Path, tmp_path: Path) -> Iterator[Project]:
    """The folder's project, refreshed."""
    with Project.open(folder, data_dir=tmp_path / "data") as opened:
        opened.refresh()
        yield opened
