"""The real program, stopped in the middle of a batch: what was finished stays, the next run does the rest."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from engine.document.records import ReviewState
from engine.errors import ProjectError
from engine.models.version import save_version
from engine.project import Project
from tests.engine.networks import card_of, lively_network, picture

ARCHITECTURE = "maskrcnn_resnet18_slim_fpn"
IMAGES = 16
MAIN = Path(__file__).resolve().parents[2] / "main.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    store, root = tmp_path / "models", tmp_path / "pictures"
    network = lively_network(ARCHITECTURE, 320, 480)  # slow enough to be stopped in the middle
    save_version(store, "toy", network, replace(card_of(network, ARCHITECTURE), name="toy"))
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(store))
    root.mkdir()
    for n in range(IMAGES):
        _, encoded = cv2.imencode(".png", picture(64, 96, n))
        (root / f"{n}.png").write_bytes(encoded.tobytes())
    return root


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(MAIN), "label", str(folder), "--model", "toy", "--device", "cpu", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def proposed(folder: Path) -> int:
    """How many images have their proposals on the disk."""
    with Project.open(folder, read_only=True) as project:
        return sum(
            project.review_state(item.id) is ReviewState.PROPOSED and bool(project.load(item.id).instances)
            for item in project.media()
        )


def wait_until_some_are_done(folder: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ProjectError):  # its database may be in the making
            if proposed(folder) >= 2:
                return
        time.sleep(0.1)
    raise AssertionError(f"no image was labelled in time: {process.communicate()}")


def finish(folder: Path) -> dict[str, int]:
    process = start(folder)
    out, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    result: dict[str, int] = json.loads(out)
    return result


def test_that_a_killed_batch_goes_on_where_it_stopped(folder: Path) -> None:
    process = start(folder)
    wait_until_some_are_done(folder, process)
    process.kill()
    process.communicate()
    done = proposed(folder)
    assert 0 < done < IMAGES
    rest = finish(folder)
    assert rest["up_to_date"] >= done
    assert rest["labelled"] + rest["up_to_date"] == IMAGES
    assert proposed(folder) == IMAGES


@pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl+C to the whole console, the tests' too")
def test_that_ctrl_c_ends_cleanly_and_the_next_run_does_the_rest(folder: Path) -> None:
    process = start(folder)
    wait_until_some_are_done(folder, process)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "run the same command again" in errors
    figures = json.loads(out)
    assert figures["canceled"]
    assert proposed(folder) >= figures["labelled"] > 0
    rest = finish(folder)
    assert rest["labelled"] + rest["up_to_date"] == IMAGES
