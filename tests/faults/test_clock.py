"""A clock that says 1970 or 2099 costs nothing: what was done then is there today, and vice versa."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from engine.document.records import ReviewState
from engine.project import Project
from tests.faults.conftest import make_scene

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloading a library is Linux's way"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the clock's library needs gcc"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that shifts the clock, compiled here."""
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def run(folder: Path, clock: Path, year: int, words: str) -> str:
    """A command line in that year; returns what it said."""
    shift = int(datetime(year, 1, 2, 12).timestamp() - time.time())
    homes = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    environment = {
        **os.environ, **{name: str(folder / "home") for name in homes}, "LD_PRELOAD": str(clock),
        "CLOCK_SHIFT": str(shift), "MASKWRIGHT_MODELS": str(folder / "models"), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, str(ROOT / "main.py"), *words.split()]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("years", [(1970, 2026, 2099), (2099, 2026, 1970)])
def test_that_work_goes_on_whatever_the_clock_says(
    clock: Path, tmp_path: Path, years: tuple[int, int, int]
) -> None:
    folder = tmp_path / "scene"
    make_scene(folder)
    first, second, third = years
    run(folder, clock, first, "label pictures --model toy --device cpu")
    again = run(folder, clock, second, "label pictures --model toy --device cpu --json")
    assert '"labelled": 0' in again, "what was labelled is up to date in any year"
    run(
        folder, clock, second, "train pictures --base toy --name taught --device cpu --iterations 2 --side 64"
    )
    run(folder, clock, third, "label pictures --model taught --device cpu")
    run(folder, clock, third, "export pictures --format coco --out out")
    with Project.open(folder / "pictures") as project:
        states = [project.review_state(item.id) for item in project.media()]
        assert states.count(ReviewState.REVIEWED) == 3
        assert states.count(ReviewState.PROPOSED) == 2
        batches = project.batches()
        assert len(batches) >= 2
        assert project.undo_batch(batches[-1].id) >= 0
