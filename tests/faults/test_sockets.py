"""Nothing listens on the network, and nothing talks to it unasked: not the window, not what it starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import make_scene

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "resources" / "samples"
NETWORK = "inet"  # TCP and UDP, of both versions of IP


def connections(process: psutil.Process) -> list[object]:
    """Every network socket of a process and of all that it started."""
    family = [process, *process.children(recursive=True)]
    return [one for member in family if member.is_running() for one in member.net_connections(kind=NETWORK)]


def environment(home: Path) -> dict[str, str]:
    homes = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    return {**os.environ, **{name: str(home) for name in homes}, "QT_QPA_PLATFORM": "offscreen"}


@pytest.mark.skipif(os.name == "nt", reason="the window is ended by a signal here")
def test_that_the_window_has_no_socket(tmp_path: Path) -> None:
    folder, home = tmp_path / "pictures", tmp_path / "home"
    folder.mkdir()
    shutil.copyfile(next(SAMPLES.glob("*.jpg")), folder / "one.jpg")
    command = [sys.executable, str(ROOT / "main.py"), str(folder)]
    log, seen = home / "Maskwright" / "log" / "maskwright.log", list[object]()
    program = subprocess.Popen(command, env=environment(home))
    try:
        watched, end = psutil.Process(program.pid), time.monotonic() + 120
        while not (log.is_file() and "window ready" in log.read_text(encoding="utf-8")):
            assert program.poll() is None
            assert time.monotonic() < end, "its window never took input"
            seen += connections(watched)
            time.sleep(0.05)
        seen += connections(watched)
    finally:
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 0
    assert seen == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_that_a_training_and_its_process_have_no_socket(tmp_path: Path) -> None:
    make_scene(tmp_path / "scene")
    train = "train pictures --base toy --name taught --device cpu --iterations 20 --side 64"
    command = [sys.executable, str(ROOT / "main.py"), *train.split()]
    own = environment(tmp_path / "home") | {"MASKWRIGHT_MODELS": str(tmp_path / "scene" / "models")}
    program = subprocess.Popen(command, cwd=tmp_path / "scene", env=own)
    watched, seen, most = psutil.Process(program.pid), list[object](), 0
    while program.poll() is None:
        try:
            seen += connections(watched)
            most = max(most, len(watched.children(recursive=True)))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    assert program.wait(10) == 0
    assert most >= 1, "the training is a process of its own"
    assert seen == []
