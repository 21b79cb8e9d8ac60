"""`train` and `eval` as a person types them, on a toy set with a small network."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from engine.cli.training_progress import TrainingProgress
from engine.device import PLAIN
from engine.document.document import Edit
from engine.document.records import ImageState, ReviewState
from engine.formats.coco import write_coco
from engine.models.store import ModelStore
from engine.project import Project
from engine.train.events import Noted, Stepped, TrainEvent
from engine.train.order import TrainOrder
from engine.train.sources import load_labelled
from main import main
from tests.engine.train.toy import toy_set

QUICK = ("--base", "maskrcnn_resnet18_slim_fpn", "--side", "96", "--name", "toy", "--device", "cpu")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A COCO file of four pictures, with a model store of its own."""
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("engine.cli.evaluating.use_threads", lambda **_: 1)
    # A core less: threads that wait for each other take long on a machine that others use too.
    monkeypatch.setattr("engine.train.order.TrainOrder", functools.partial(TrainOrder, window=True))
    folder = tmp_path / "Daten ü"
    folder.mkdir()
    write_coco(folder / "toy.json", toy_set(folder))
    return folder / "toy.json"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_that_train_measures_on_its_split_and_eval_on_the_same_says_the_same(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a processor where bf16 is quicker `eval` measures in it, as people predict; `train` never does.
    monkeypatch.setattr("engine.cli.evaluating.number_format", lambda _device: PLAIN)
    part = ("--val-fraction", "0.5", "--seed", "3")
    assert run("train", data, *QUICK, *part, "--iterations", 2, "--json") == 0
    trained = printed(capsys)
    assert trained["steps"] == 2
    assert 0.0 <= trained["metrics"]["mask_ap"] <= 1.0
    split = json.loads((tmp_path / "models" / "toy.split").read_text(encoding="utf-8"))
    assert (len(split["train"]), len(split["val"]), split["seed"]) == (2, 2, 3)
    card = ModelStore(tmp_path / "models").resolve("toy").card
    assert card.metrics["val_mask_ap"] == pytest.approx(trained["metrics"]["mask_ap"], abs=1e-4)

    report = tmp_path / "report"
    assert run("eval", data, "--model", "toy", *part, "--device", "cpu", "--report", report, "--json") == 0
    measured = printed(capsys)
    assert measured["images"] == 2
    assert measured["metrics"]["box_ap"] == pytest.approx(trained["metrics"]["box_ap"], abs=1e-3)
    written = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    assert written["metrics"] == measured["metrics"]
    assert sorted(written["worst_images"]) == split["val"]
    assert len(list(report.glob("image_*.png"))) == 2


def test_that_eval_prints_a_table_and_tells_a_model_without_a_class_of_the_data(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", data, *QUICK, "--iterations", 1) == 0
    assert "saved as" in capsys.readouterr().out
    assert run("eval", data, "--model", "toy", "--device", "cpu") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 images, up to 300 detections each")
    assert [line.split()[0] for line in lines[2:5]] == ["mask", "boundary", "box"]
    data.write_text(data.read_text(encoding="utf-8").replace('"disc"', '"ring"'), encoding="utf-8")
    assert run("eval", data, "--model", "toy", "--device", "cpu") == 1
    assert "'disc' and the data 'ring'" in capsys.readouterr().err


def test_that_ctrl_c_stops_after_the_step_and_resume_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show = TrainingProgress.show

    def interrupted(self: TrainingProgress, event: TrainEvent) -> None:
        show(self, event)
        if isinstance(event, Stepped) and event.step == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingProgress, "show", interrupted)
        assert run("train", data, *QUICK, "--iterations", 1000) == 130
    stopped = re.search(r"--resume goes on after step (\d+)", capsys.readouterr().err)
    assert stopped is not None
    step = int(stopped[1])
    assert 2 <= step < 1000
    assert not (tmp_path / "models" / "toy.safetensors").exists()
    assert run("train", data, *QUICK, "--iterations", step + 1, "--resume") == 0
    said = capsys.readouterr()
    assert f"going on after step {step}" in said.err
    assert f"{step + 1} steps" in said.out


def test_that_a_second_ctrl_c_stops_at_once(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: TrainingProgress, event: TrainEvent) -> None:
        if isinstance(event, Noted):  # before there is a step to stop after
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingProgress, "show", interrupted)
    assert run("train", data, *QUICK, "--iterations", 1000) == 130
    said = capsys.readouterr().err
    assert "stopped; an earlier model" in said
    assert "Traceback" not in said


def test_that_the_recipe_is_changed_from_the_command_line(data: Path, tmp_path: Path) -> None:
    changes = ("--recipe", "window=64", "--recipe", "scales=[0.9, 1.1]", "--recipe", "optimizer=sgd")
    assert run("train", data, *QUICK, "--iterations", 1, *changes) == 0
    recipe = ModelStore(tmp_path / "models").resolve("toy").card.training["recipe"]
    assert isinstance(recipe, dict)
    assert (recipe["window"], recipe["scales"], recipe["optimizer"]) == (64, [0.9, 1.1], "sgd")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--val-fraction", "0.5", "--val", "{data}"), 2, "not both"),
        (("--iterations", "3", "--minutes", "1"), 2, "not both"),
        (("--val", "{data}"), 1, "take them out"),
        (("--base", "nonsense"), 1, "nonsense"),
        (("--resume",), 1, "nothing to resume"),
        (("--name", "con"), 1, "name"),
        (("--recipe", "batch"), 2, "such as batch=4, not 'batch'"),
        (("--recipe", "batch=0"), 1, "'batch' of the recipe must be a whole number of at least 1"),
        (("--recipe", "optimizer=magic"), 1, "must be one of"),
        (("--recipe", "speed=9"), 1, "The recipe has no 'speed'"),
    ],
)
def test_that_what_cannot_be_done_is_told_in_a_sentence(
    data: Path, options: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [option.format(data=data) for option in options]
    assert run("train", data, *QUICK, *given) == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_that_of_a_project_only_reviewed_images_and_no_proposals_are_learned_from(tmp_path: Path) -> None:
    labelled = toy_set(tmp_path, 3)
    with Project.open(tmp_path) as project:
        project.refresh()
        known = project.ensure_class("disc")
        for item, image in zip(project.media(), labelled.images, strict=True):
            document, edits = project.load(item.id), list[Edit]()
            document.subscribe(edits.append)
            with document.edit("Draw"):
                for one in image.instances:
                    document.add(dataclasses.replace(one, class_id=known.id))
                if item.path != "toy1.png":
                    document.replace(ImageState(review=ReviewState.REVIEWED))
            project.save(item.id, edits[0].diff, name="Draw").result()
    found = load_labelled(tmp_path)
    assert [image.path.name for image in found.images] == ["toy0.png", "toy2.png"]
    assert [(image.width, image.height) for image in found.images] == [(96, 96)] * 2
    assert found.class_names == ("disc",)
    assert [one.mask for one in found.images[0].instances] == [
        one.mask for one in labelled.images[0].instances
    ]
