"""`train PROJECT` and `eval PROJECT` as a person types them: the gate included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.models.store import ModelStore
from engine.project import Project
from main import main
from tests.engine.tuning.making import reviewed_project

ROOT = Path(__file__).resolve().parents[3]
QUICK = ("--base", "base", "--side", "96", "--device", "cpu", "--iterations", "2", "--recipe", "batch=2")


@pytest.fixture
def project(tmp_path: Path, models: ModelStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("engine.cli.evaluating.use_threads", lambda **_: 1)
    return reviewed_project(tmp_path / "discs", 6)


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_that_a_project_is_trained_on_judged_and_measured_the_same_by_eval(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", project, *QUICK, "--accept", "always", "--notes", "first", "--json") == 0
    said = capsys.readouterr()
    verdict = json.loads(said.out)
    assert (verdict["decision"], verdict["new_name"], verdict["old_name"]) == ("activated", "discs-1", "base")
    assert "6 reviewed images, 12 instances, 1 class" in said.err
    assert "held out" in said.err
    with Project.open(project) as opened:
        assert opened.active_model().name == "discs-1"
        held_out = sum(opened.held_out().values())
    assert verdict["images"] == held_out
    card = ModelStore(tmp_path / "models").resolve("discs-1").card
    assert card.training["notes"] == "first"

    report = tmp_path / "report"
    pair = ("--model", "discs-1", "--against", "base", "--device", "cpu")
    assert run("eval", project, *pair, "--report", report, "--json") == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["images"] == held_out
    assert measured["metrics"]["mask_ap"] == pytest.approx(verdict["new"]["ap"], abs=1e-3)
    assert measured["before"]["metrics"].get("mask_ap", 0.0) == pytest.approx(verdict["old"]["ap"], abs=1e-3)
    assert (report / "report.html").is_file()


def test_that_what_cannot_be_learned_from_is_told(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", project, *QUICK, "--classes", "cup") == 1
    assert "no class 'cup'" in capsys.readouterr().err
    assert run("train", project, *QUICK, "--resume") == 1
    assert "was stopped" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("train", empty, *QUICK) == 1
    assert "No image is reviewed yet" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_that_torchrun_fine_tunes_with_two_processes_and_one_verdict(project: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29611",
            "main.py", "train", str(project), *QUICK, "--accept", "always",
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("discs-1 is the active model now") == 1
    with Project.open(project) as opened:
        assert opened.active_model().name == "discs-1"
    assert list((tmp_path / "models" / "training").glob("*")) == []
