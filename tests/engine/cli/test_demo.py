"""`demo` works on the bundled pictures, touches only what it made, and says what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import main
from engine import applog
from engine.cli import demo
from engine.document.records import ReviewState
from engine.errors import DataError
from engine.formats.coco import read_coco
from engine.formats.labelled import LabelledSet
from engine.media.image import read_rgb
from engine.models.card import ModelCard
from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.models.store import MODELS_VARIABLE, ModelStore, default_store
from engine.models.version import save_version
from engine.project import Project
from engine.synth.write import write_set
from engine.train.report.folder import PAGE
from engine.train.sources import load_labelled

SPEC = NetworkSpec("maskrcnn_resnet18_slim_fpn", 4, min_size=64, max_size=96)


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applog, "configure", lambda **_: None)


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelledSet:
    """Three small pictures with their truth in place of the bundled ones."""
    folder = tmp_path / "samples"
    write_set(folder, count=3, seed=5, split="test", sizes=((96, 72),), extra_class=True)
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
def test_that_the_demo_labels_corrects_learns_and_compares(
    samples: LabelledSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "demo"
    assert main.main(["demo", "--out", str(out), "--minutes", "0.01", "--no-open"]) == 0
    with Project.open(out / "pictures") as project:
        states = [project.review_state(item.id) for item in project.media()]
        assert states.count(ReviewState.REVIEWED) == 2
        assert ReviewState.PROPOSED in states  # by the model that learned
        assert "spring" in {one.name for one in project.classes()}
    assert "spring" in default_store().resolve("demo").card.classes
    sheet = read_rgb(out / "before_after.png")
    assert sheet.shape == (270 + 2 * 8, 3 * (360 + 8) + 8, 3)
    assert (out / "report" / PAGE).is_file()
    said = capsys.readouterr().out
    assert "'spring', which it had never seen before: mask AP 0." in said
    for name in ("before_after.png", "pictures"):
        assert any(line.endswith(str(out / name)) for line in said.splitlines())


def test_that_corrected_pictures_hold_the_truth_and_can_be_undone(
    samples: LabelledSet, tmp_path: Path
) -> None:
    pictures = demo.prepare(tmp_path / "out", keep=False)
    taught, unseen = demo.halves(samples)
    assert {i.path for i in taught.images}.isdisjoint(i.path for i in unseen.images)
    with Project.open(pictures) as project:
        project.refresh()
    assert demo.correct(pictures, taught) == 2
    demo.correct(pictures, taught)  # reviewed by now: left alone
    learned = load_labelled(pictures, None)
    names = {one.id: one.name for one in learned.classes}
    known = {one.id: one.name for one in samples.classes}
    for found, true in zip(learned.images, taught.images, strict=True):
        assert [(names[i.class_id], i.mask) for i in found.instances] == [
            (known[i.class_id], i.mask) for i in true.instances
        ]
    with Project.open(pictures) as project:
        item = next(i for i in project.media() if i.path == taught.images[0].path.name)
        assert project.undo(item.id) is not None
        assert not project.load(item.id).instances
        assert project.undo(item.id) is None


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
