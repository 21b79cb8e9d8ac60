"""The built program, which knows nothing of this checkout: it starts, labels, learns and opens its window.

`make bundle` builds it and runs these; without it they are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from engine.document.records import Provenance, ReviewState
from engine.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "dist" / "maskwright"
SAMPLES = ROOT / "resources" / "samples"
PROGRAM = BUNDLE / ("maskwright.exe" if sys.platform == "win32" else "maskwright")
PICTURES = 4


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the built program works; it keeps its settings and models there too."""
    if not PROGRAM.is_file():
        pytest.skip("there is no built program: `make bundle` builds it and runs these tests")
    return tmp_path_factory.mktemp("home")


def environment(home: Path) -> dict[str, str]:
    """A person's, without a Python: nothing of this checkout or its environment is on a path."""
    keep = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "LANG") if name in os.environ}
    places = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    own = {name: str(home / name) for name in places}
    return {**keep, **own, "HOME": str(home), "PATH": "/usr/bin:/bin", "QT_QPA_PLATFORM": "offscreen"}


def run(home: Path, *arguments: str) -> str:
    """One command line to its end; returns what it printed."""
    ended = subprocess.run(
        [str(PROGRAM), *arguments], cwd=home, env=environment(home), capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def pictures(folder: Path) -> Path:
    folder.mkdir()
    for picture in sorted(SAMPLES.glob("*.jpg"))[:PICTURES]:
        shutil.copyfile(picture, folder / picture.name)
    return folder


def test_that_it_answers_and_finds_nothing_broken(home: Path) -> None:
    assert run(home, "--version").startswith("Maskwright ")
    checked = run(home, "doctor")
    assert "starter" in checked
    assert "broken" not in checked


def test_that_it_labels_a_folder_with_the_model_it_brings(home: Path) -> None:
    folder = pictures(home / "to label")
    run(home, "label", str(folder), "--device", "cpu")
    with Project.open(folder, read_only=True) as project:
        items = list(project.media())
        assert len(items) == PICTURES
        for item in items:
            assert project.review_state(item.id) is ReviewState.PROPOSED
            assert any(one.provenance is Provenance.PREDICTED for one in project.load(item.id).instances)


def test_that_it_learns_in_a_process_of_its_own(home: Path) -> None:
    samples = home / "to learn"
    shutil.copytree(SAMPLES, samples)
    run(home, "import", str(samples / "truth.json"), "--images", str(samples))
    with Project.open(samples, read_only=True) as project:
        assert project.review_state(next(iter(project.media())).id) is ReviewState.REVIEWED
    told = run(
        home,
        "train",
        str(samples),
        "--iterations",
        "3",
        "--side",
        "64",
        "--name",
        "taught",
        "--device",
        "cpu",
    )
    assert "taught" in told
    assert "taught" in run(home, "models", "list")


def test_that_its_window_opens_and_closes(home: Path) -> None:
    folder = pictures(home / "to see")
    log = home / "XDG_STATE_HOME" / "Maskwright" / "log" / "maskwright.log"
    before = log.read_text(encoding="utf-8") if log.is_file() else ""
    program = subprocess.Popen([str(PROGRAM), str(folder)], cwd=home, env=environment(home))
    try:
        end = time.monotonic() + 120
        ready = None
        while ready is None and time.monotonic() < end:
            assert program.poll() is None, "it ended by itself"
            now = log.read_text(encoding="utf-8").removeprefix(before) if log.is_file() else ""
            ready = re.search(r"window ready ([\d.]+) s after the start", now)
            time.sleep(0.1)
        assert ready, "its window never took input"
        print(f"\nthe built program took input {ready[1]} s after its start")
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 0
    finally:
        program.kill()
        program.wait()
    assert (folder / ".maskwright").is_dir()


def test_that_the_terms_of_every_dependency_are_in_it(home: Path) -> None:
    beside = {path.name.lower() for path in (BUNDLE / "licences").iterdir() if path.is_dir()}
    for name in (
        "torch",
        "torchvision",
        "PySide6_Essentials",
        "numpy",
        "opencv-python-headless",
        "av",
        "scipy",
    ):
        distribution = metadata.distribution(name)
        folder = f"{distribution.metadata['Name']}-{distribution.version}".lower()
        assert folder in beside
        assert any((BUNDLE / "licences").glob("*")), folder
    assert all(any(path.iterdir()) for path in (BUNDLE / "licences").iterdir() if path.is_dir())
