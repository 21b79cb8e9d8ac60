"""What the journeys share: no display, nothing left behind, and somebody at the window."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gui.conftest import application, nothing_left_behind, own_folders, wait
from tests.gui.making import folder_of
from tests.journeys.person import at_the_window, samples

__all__ = ["application", "at_the_window", "nothing_left_behind", "own_folders", "samples", "wait"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three small pictures."""
    return folder_of(tmp_path / "pictures")
