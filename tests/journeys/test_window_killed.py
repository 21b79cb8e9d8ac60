"""The real window, killed while somebody draws: what it had called saved is there at the next start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.document.records import Instance
from engine.project import Project
from tests.gui.making import folder_of

ROOT = Path(__file__).resolve().parents[2]
ENOUGH = 12


def test_that_every_edit_that_was_called_saved_survives_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "pictures")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / name))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.journeys.window_to_kill", str(folder)],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told, deadline = 0, time.monotonic() + 120
    for line in process.stdout:
        told = int(line)
        if told >= ENOUGH or time.monotonic() > deadline:
            break
    process.kill()
    rest, _ = process.communicate()
    told = max([told, *(int(line) for line in rest.split())])
    assert told >= ENOUGH
    with Project.open(folder) as project:
        first = next(item.id for item in project.media() if item.path == "a.png")
        kept = [one for one in project.load(first).records.values() if isinstance(one, Instance)]
        assert len(kept) >= told
        assert len(project.history(first).done) == len(kept)
        assert project.undo(first) is not None
