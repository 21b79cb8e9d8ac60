"""`label`: proposals in the project, only what is missing, human work left alone, honest exit codes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from engine.document.diff import Source
from engine.document.document import Edit
from engine.document.masks import Mask
from engine.document.records import ImageState, Instance, Provenance, ReviewState, new_id
from engine.project import Project
from main import main
from tests.engine.networks import CLASSES, picture


@pytest.fixture
def folder(tmp_path: Path, toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures, one of them in a folder of its own and none with an ASCII name throughout."""
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(toy_models))
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy_models / "cache"))
    root = tmp_path / "Bilder ü"
    (root / "tief").mkdir(parents=True)
    for name, seed in (("a.png", 1), ("b.png", 2), ("tief/ç.png", 3)):
        _, encoded = cv2.imencode(".png", picture(96, 128, seed))
        (root / name).write_bytes(encoded.tobytes())
    return root


def label(*arguments: object) -> int:
    return main(["label", *map(str, arguments), "--model", "toy"])


def figures(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def test_that_every_picture_gets_proposals_and_a_second_run_does_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(folder, "--json") == 0
    first = figures(capsys)
    assert first["labelled"] == 3
    assert isinstance(first["instances"], int)
    assert first["instances"] > 0
    with Project.open(folder, read_only=True) as project:
        for item in project.media():
            assert (item.width, item.height) == (128, 96)
            assert project.review_state(item.id) is ReviewState.PROPOSED
            instances = project.load(item.id).instances
            assert instances
            assert all(one.provenance is Provenance.PREDICTED and one.score for one in instances)
    assert label(folder, "--json") == 0
    second = figures(capsys)
    assert (second["labelled"], second["up_to_date"]) == (0, 3)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools' own, under NumPy 2
def test_that_the_coco_file_holds_the_projects_masks_to_the_pixel(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    assert label(folder, "--out", out, "--threshold", "0.3") == 0
    written = json.loads(out.read_text(encoding="utf-8"))
    assert {c["name"] for c in written["categories"]} <= set(CLASSES)
    by_name = {image["file_name"]: image["id"] for image in written["images"]}
    with Project.open(folder, read_only=True) as project:
        for item in project.media():
            rows = [a for a in written["annotations"] if a["image_id"] == by_name[item.path]]
            want = [one for one in project.load(item.id).instances if (one.score or 0) >= 0.3]
            assert len(rows) == len(want) > 0
            decoded = {coco_mask.decode(a["segmentation"]).tobytes() for a in rows}
            assert decoded == {
                one.mask.to_full(96, 128).astype(np.uint8).tobytes() for one in want if one.mask is not None
            }


def test_that_a_reviewed_image_and_what_a_person_drew_are_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(folder) == 0
    drawn = Instance(new_id(), 0, Mask.from_crop(3, 4, np.ones((5, 6), dtype=np.bool_)))
    with Project.open(folder) as project:
        a, b, _ = project.media()
        drawn = replace(drawn, class_id=project.classes()[0].id)
        for item, review in ((a, True), (b, False)):
            document = project.load(item.id)
            edits: list[Edit] = []
            document.subscribe(edits.append)
            with document.edit("Draw", Source.USER):
                for one in document.instances:
                    if review:
                        document.remove(one.id)
                document.add(replace(drawn, id=new_id()))
                if review:
                    document.replace(ImageState(review=ReviewState.REVIEWED))
            project.save(item.id, edits[0].diff, name="Draw").result()
    capsys.readouterr()
    assert main(["label", str(folder), "--model", "other", "--json"]) == 0
    assert figures(capsys)["reviewed"] == 1
    with Project.open(folder, read_only=True) as project:
        assert [one.provenance for one in project.load(a.id).instances] == [Provenance.DRAWN]
        kinds = {one.provenance for one in project.load(b.id).instances}
        assert kinds == {Provenance.DRAWN, Provenance.PREDICTED}


def test_that_another_model_replaces_unreviewed_proposals(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(folder) == 0
    with Project.open(folder, read_only=True) as project:
        item = project.media()[0]
        before = {one.id for one in project.load(item.id).instances}
    capsys.readouterr()
    assert main(["label", str(folder), "--model", "other", "--json"]) == 0
    assert figures(capsys)["labelled"] == 3
    with Project.open(folder, read_only=True) as project:
        assert before.isdisjoint(one.id for one in project.load(item.id).instances)


def test_that_a_changed_picture_is_labelled_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert label(folder) == 0
    _, encoded = cv2.imencode(".png", picture(80, 90, 9))
    (folder / "b.png").write_bytes(encoded.tobytes())
    capsys.readouterr()
    assert label(folder, "--json") == 0
    assert (figures(capsys)["labelled"], 1) == (1, 1)


def test_that_a_broken_file_is_named_once_and_does_not_end_the_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:300])
    assert label(folder, "--json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["labelled"] == 3
    lines = [line for line in captured.err.splitlines() if "broken.png" in line]
    assert len(lines) == 1
    assert "Traceback" not in captured.err


def test_that_single_files_go_into_their_folders_project(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(folder / "a.png", "--json") == 0
    assert figures(capsys)["labelled"] == 1
    assert label(folder, "--json") == 0
    assert figures(capsys)["up_to_date"] == 1
    # A file below a folder that holds a project belongs to that project.
    assert label(folder / "tief" / "ç.png", "--json") == 0
    assert figures(capsys)["up_to_date"] == 1
    assert not (folder / "tief" / ".maskwright").exists()


def test_that_a_file_that_is_no_picture_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "notes.txt").write_text("not a picture", encoding="utf-8")
    assert label(folder / "notes.txt") == 1
    assert "notes.txt: it is not a picture" in capsys.readouterr().err


def test_that_limit_and_the_next_run_share_the_work(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert label(folder, "--limit", 2, "--json") == 0
    assert figures(capsys)["labelled"] == 2
    assert label(folder, "--json") == 0
    assert (figures(capsys)["labelled"]) == 1


def test_that_classes_keeps_the_others_out_of_the_project(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(folder, "--classes", "nut") == 0
    with Project.open(folder, read_only=True) as project:
        assert {c.name for c in project.classes()} == {"nut"}
    assert label(folder, "--classes", "gear") == 1
    assert "knows no class called 'gear'" in capsys.readouterr().err


def test_that_overlays_are_written_beside_nothing_of_the_persons(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    assert label(folder, "--overlays", tmp_path / "seen", "--threshold", "0.2") == 0
    names = {p.relative_to(tmp_path / "seen").as_posix() for p in (tmp_path / "seen").rglob("*.jpg")}
    assert names == {"a.png.jpg", "b.png.jpg", "tief/ç.png.jpg"}
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "There is no file or folder called nowhere"),
        ([".", "--model", "nothing"], "No model is called 'nothing'"),
        ([".", "--model", "toy", "--device", "cuda"], "CUDA was asked for"),
        ([".", "--model", "toy", "--device", "abacus"], "No device is called 'abacus'"),
    ],
)
def test_that_wrong_orders_get_one_sentence(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(folder)
    if "cuda" in arguments:
        monkeypatch.setattr("engine.device.cuda_obstacle", lambda: "no GPU is here")
    assert main(["label", *arguments]) == 1
    errors = capsys.readouterr().err
    assert sentence in errors
    assert "Traceback" not in errors


def test_that_the_batch_can_be_undone_as_one(folder: Path) -> None:
    assert label(folder) == 0
    with Project.open(folder) as project:
        (batch,) = project.batches()
        assert project.undo_batch(batch.id) == 3
        assert all(not project.load(item.id).instances for item in project.media())


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_that_a_folder_named_by_a_relative_link_is_labelled_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    assert label("link", "--overlays", "seen", "--out", "labels.json", "--limit", 1) == 0
    assert len(list((tmp_path / "seen").rglob("*.jpg"))) == 1
    (image,) = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))["images"]
    assert image["file_name"] == "a.png"
