"""`contrast`: kept in the project, and every run on it sees the pictures so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.document.contrast import AUTOMATIC, Contrast, Way
from engine.document.document import Edit
from engine.document.records import IMAGE_STATE_ID, ImageState, ReviewState
from engine.formats.labelled import LabelledSet
from engine.media.image import read_rgb
from engine.project import Project
from engine.project.contrasts import contrasts_of
from engine.train import dataset, evaluate
from engine.train.snapshot import read_snapshot, write_snapshot
from engine.train.sources import load_labelled
from main import main
from tests.engine.networks import picture

WINDOW = Contrast(Way.WINDOW, 0, 2000)


@pytest.fixture
def folder(tmp_path: Path, toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dim 16-bit picture and one of 8 bits."""
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(toy_models))
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy_models / "cache"))
    place = tmp_path / "pictures"
    place.mkdir()
    cv2.imwrite(str(place / "deep.png"), picture(96, 128, 1).astype(np.uint16) * 40)
    cv2.imwrite(str(place / "plain.png"), picture(96, 128, 2))
    return place


def label(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert main(["label", str(folder), "--model", "toy", "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def review_all(folder: Path) -> None:
    with Project.open(folder) as project:
        for item in project.media():
            document = project.load(item.id)
            edits: list[Edit] = []
            document.subscribe(edits.append)
            with document.edit("Accept"):
                document.replace(replace(document.state, review=ReviewState.REVIEWED))
            project.save(item.id, edits[0].diff, name="Accept").result()
            assert project.load(item.id).records[IMAGE_STATE_ID] == ImageState(ReviewState.REVIEWED)


def test_that_another_contrast_makes_proposals_of_deep_pictures_stale_and_of_no_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(folder, capsys)["labelled"] == 2
    assert main(["contrast", str(folder), "--window", "0", "2000"]) == 0
    assert label(folder, capsys)["labelled"] == 1
    assert label(folder, capsys)["labelled"] == 0
    assert main(["contrast", str(folder), "--auto"]) == 0
    assert label(folder, capsys)["labelled"] == 1


def test_that_training_and_evaluation_see_what_the_project_says(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(folder, capsys)
    before = load_labelled_reviewed(folder)
    assert main(["contrast", str(folder), "--window", "0", "2000", "--image", "deep.png"]) == 0
    truth = load_labelled(folder)
    assert [image.contrast for image in truth.images] == [WINDOW, AUTOMATIC]
    assert truth.fingerprint() != before.fingerprint()
    write_snapshot(tmp_path / "snapshot", truth, truth)
    assert read_snapshot(tmp_path / "snapshot")[0].images == truth.images
    (wanted, _) = (read_rgb(i.path, i.frame, i.contrast) for i in truth.images)
    assert int(wanted.max()) == 255  # 2000 and above are white
    labels = {one.id: n for n, one in enumerate(truth.classes, start=1)}
    learned = dataset.Dataset(truth.images, labels, min_size=96, max_size=128)[0].image
    assert np.array_equal(learned, wanted)
    seen: list[Contrast] = []

    def noted(path: Path, frame: int, contrast: Contrast) -> NDArray[np.uint8]:
        seen.append(contrast)
        return read_rgb(path, frame, contrast)

    monkeypatch.setattr(evaluate, "read_rgb", noted)
    assert main(["eval", str(folder), "--model", "toy"]) == 0
    assert seen == [WINDOW, AUTOMATIC]


def load_labelled_reviewed(folder: Path) -> LabelledSet:
    review_all(folder)
    return load_labelled(folder)


def test_that_it_tells_and_forgets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contrast", str(folder), "--percentile", "1", "99", "--gamma", "0.5"]) == 0
    assert main(["contrast", str(folder), "--auto", "--image", "deep.png"]) == 0
    capsys.readouterr()
    assert main(["contrast", str(folder)]) == 0
    told = "".join(capsys.readouterr())
    assert "percentile:1.0:99.0:gamma=0.5" in told
    assert "deep.png: auto" in told
    assert main(["contrast", str(folder), "--auto"]) == 0
    with Project.open(folder, read_only=True) as project:
        assert contrasts_of(project).usual == AUTOMATIC


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--window", "5", "5"], "must lie below white"),
        (["--percentile", "0", "101"], "between 0 and 100"),
        (["--window", "1", "2", "--full"], "Give one of"),
        (["--gamma", "2"], "go with one of"),
        (["--full", "--image", "gone.png"], "no picture gone.png"),
    ],
)
def test_that_what_cannot_be_is_told_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert main(["contrast", str(folder), *options]) == 1
    assert told in capsys.readouterr().err
