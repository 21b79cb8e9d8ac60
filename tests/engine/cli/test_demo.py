"""`demo` works on the bundled pictures, touches only what it made, and says what it needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import main
from engine import applog
from engine.cli import demo
from engine.errors import DataError
from engine.formats.coco import read_coco
from engine.formats.labelled import LabelledSet
from engine.media.image import read_rgb
from engine.models.card import ModelCard
from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.models.store import MODELS_VARIABLE, ModelStore
from engine.models.version import save_version
from engine.synth.write import write_set

SPEC = NetworkSpec("maskrcnn_resnet18_slim_fpn", 4, min_size=64, max_size=96)


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applog, "configure", lambda **_: None)


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelledSet:
    """Two small pictures with their truth in place of the bundled ones."""
    folder = tmp_path / "samples"
    write_set(folder, count=2, seed=5, split="test", sizes=((96, 72),))
    monkeypatch.setattr(demo, "SAMPLES", folder)
    return read_coco(folder / "truth.json")


@pytest.fixture
def _starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A starter model that knows nothing yet."""
    torch.manual_seed(0)
    card = ModelCard("starter", SPEC, ("bolt", "nut", "washer", "screw"))
    save_version(tmp_path / "models", "starter", build(SPEC), card)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models"))


@pytest.mark.usefixtures("_starter")
def test_that_the_demo_labels_scores_and_shows_the_samples(
    samples: LabelledSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "demo"
    assert main.main(["demo", "--out", str(out)]) == 0
    assert sorted(f.name for f in (out / "pictures").glob("*.jpg")) == [i.path.name for i in samples.images]
    assert len(read_coco(out / "labels.json").images) == 2
    assert len(list((out / "overlays").iterdir())) == 2
    assert (out / "before_after.png").is_file()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("mask AP 0.")
    assert f"{samples.instance_count} objects in 2 pictures" in said[0]
    for name in ("before_after.png", "overlays", "labels.json", "pictures"):
        assert any(line.endswith(str(out / name)) for line in said)
    assert "main.py label" in said[-1]


def test_that_a_missing_starter_is_told_in_a_sentence_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ModelStore, "list", lambda _self: ())
    assert main.main(["demo", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: The demo labels with the bundled model 'starter'")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_that_a_folder_of_other_things_is_left_alone(samples: LabelledSet, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for keep in (False, True):
        with pytest.raises(DataError, match="--out"):
            demo.prepare(mine, keep=keep)
    assert [f.name for f in mine.iterdir()] == ["thesis.txt"]


def test_that_a_fresh_demo_forgets_the_last_one_and_a_kept_one_goes_on(
    samples: LabelledSet, tmp_path: Path
) -> None:
    pictures = demo.prepare(tmp_path / "out", keep=False)
    (pictures / ".maskwright").mkdir()
    picture = pictures / samples.images[0].path.name
    picture.write_bytes(b"changed")
    demo.prepare(tmp_path / "out", keep=True)
    assert (pictures / ".maskwright").exists()
    assert picture.read_bytes() == b"changed"
    demo.prepare(tmp_path / "out", keep=False)
    assert not (pictures / ".maskwright").exists()
    assert picture.read_bytes() == samples.images[0].path.read_bytes()


def test_that_a_file_in_the_way_is_named(samples: LabelledSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="file"):
        demo.prepare(tmp_path / "file" / "out", keep=False)


def test_that_the_verdict_is_one_for_the_truth_and_less_without_some_of_it(samples: LabelledSet) -> None:
    objects = f"{samples.instance_count} objects in 2 pictures"
    assert demo.verdict(samples, samples) == f"mask AP 1.00, AP50 1.00 over {objects}"
    halved = samples.with_images(samples.images[:1])
    assert not demo.verdict(halved, samples).startswith("mask AP 1.00")
    assert demo.verdict(LabelledSet((), ()), samples).startswith("mask AP 0.00")


def test_that_the_sheet_shows_each_picture_beside_itself_with_masks(
    samples: LabelledSet, tmp_path: Path
) -> None:
    demo.write_sheet(samples, tmp_path / "sheet.png")
    sheet = read_rgb(tmp_path / "sheet.png").astype(int)
    assert sheet.shape == (270 + 2 * 8, 2 * (2 * 360 + 3 * 8), 3)
    before, after = sheet[8:278, 8:368], sheet[8:278, 376:736]
    changed = np.abs(before - after).sum(axis=2) > 0
    assert 0.05 < changed.mean() < 0.9
