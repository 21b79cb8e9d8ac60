"""`main.py upgrade`: true boxes of the bundled pictures become masks close to the truth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import main
from engine.document.boolean import iou
from engine.document.mask import Mask
from engine.document.records import ReviewState
from engine.formats.coco import read_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.models.ssd import build_ssd
from engine.models.store import MODELS_VARIABLE, ModelStore
from engine.models.version import load_network, save_version
from engine.project import Project
from engine.upgrading import CHECK

SAMPLES = Path(main.__file__).parent / "resources" / "samples"
NAMES = ("tray_900003.jpg", "tray_900007.jpg")


@pytest.fixture(scope="module")
def truth() -> LabelledSet:
    whole = read_coco(SAMPLES / "truth.json")
    return whole.with_images(tuple(one for one in whole.images if one.path.name in NAMES))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "boxes"
    (folder / "images").mkdir(parents=True)
    for name in NAMES:
        shutil.copyfile(SAMPLES / name, folder / "images" / name)
    return folder


def as_coco(truth: LabelledSet, folder: Path) -> Path:
    """Boxes alone, ids from 9001."""
    records: list[dict[str, object]] = []
    images: list[dict[str, object]] = []
    for number, image in enumerate(truth.images, start=1):
        images.append(
            {"id": number, "file_name": image.path.name, "width": image.width, "height": image.height}
        )
        for one in image.instances:
            x0, y0, x1, y1 = one.bounds_xyxy
            record = {
                "id": 9001 + len(records),
                "image_id": number,
                "category_id": one.class_id,
                "iscrowd": 0,
            }
            records.append(record | {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)})
    classes = [{"id": one.id, "name": one.name} for one in truth.classes]
    place = folder / "boxes.json"
    place.write_text(json.dumps({"images": images, "annotations": records, "categories": classes}))
    return place


def as_yolo(truth: LabelledSet, folder: Path) -> Path:
    names = [one.name for one in truth.classes]
    (folder / "labels").mkdir()
    for image in truth.images:
        lines = []
        for one in image.instances:
            x0, y0, x1, y1 = one.bounds_xyxy
            place = [(x0 + x1) / 2 / image.width, (y0 + y1) / 2 / image.height]
            size = [(x1 - x0) / image.width, (y1 - y0) / image.height]
            lines.append(" ".join(map(str, [one.class_id - 1, *place, *size])))
        (folder / "labels" / f"{image.path.stem}.txt").write_text("\n".join(lines) + "\n")
    listed = "\n".join(f"  {n}: {name}" for n, name in enumerate(names))
    (folder / "data.yaml").write_text(f"path: .\ntrain: images\nval: images\nnames:\n{listed}\n")
    return folder


def as_voc(truth: LabelledSet, folder: Path) -> Path:
    names = {one.id: one.name for one in truth.classes}
    (folder / "Annotations").mkdir()
    (folder / "images").rename(folder / "JPEGImages")
    for image in truth.images:
        objects = ""
        for one in image.instances:
            x0, y0, x1, y1 = one.bounds_xyxy
            edges = {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1}
            box = "".join(f"<{edge}>{value:g}</{edge}>" for edge, value in edges.items())
            objects += f"<object><name>{names[one.class_id]}</name><bndbox>{box}</bndbox></object>"
        size = f"<size><width>{image.width}</width><height>{image.height}</height><depth>3</depth></size>"
        (folder / "Annotations" / f"{image.path.stem}.xml").write_text(
            f"<annotation><filename>{image.path.name}</filename>{size}{objects}</annotation>"
        )
    return folder


def best(mask: Mask, image: LabelledImage) -> float:
    """How well a mask meets the true instance that it meets most, by IoU."""
    return max(iou(one.mask, mask) for one in image.instances if one.mask is not None)


@pytest.mark.parametrize(("boxes", "write"), [("coco", as_coco), ("yolo", as_yolo), ("voc", as_voc)])
def test_that_boxes_of_each_format_become_masks_close_to_the_truth(
    boxes: str, write: Callable[[LabelledSet, Path], Path], truth: LabelledSet, data: Path, tmp_path: Path
) -> None:
    source = write(truth, data)
    out = tmp_path / "out"
    command = ["upgrade", str(source), "--boxes", boxes, "--model", "starter", "--out", str(out)]
    assert main.main(command) == 0
    (written,) = out.rglob("*.json")
    made = read_coco(written)
    names = {one.id: one.name for one in made.classes}
    true_names = {one.id: one.name for one in truth.classes}
    scores, count = [], 0
    for image in made.images:
        (true,) = (one for one in truth.images if one.path.name == image.path.name)
        count += len(true.instances)
        for one in image.instances:
            assert one.mask is not None
            scores.append(best(one.mask, true))
        kept, given = (
            [n[one.class_id] for one in i.instances] for n, i in ((names, image), (true_names, true))
        )
        assert sorted(kept) == sorted(given)
    assert len(scores) == count
    assert sum(scores) / len(scores) > 0.68  # springs are the hard ones


def test_that_ids_are_kept_doubts_are_flagged_and_a_second_run_has_nothing_to_do(
    truth: LabelledSet, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = as_coco(truth, data)
    command = ["upgrade", str(source), "--boxes", "coco", "--least-fill", "0.95", "--json"]
    assert main.main(command) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["images"] == 2
    assert 0 < figures["doubtful"] < figures["masks"]
    count = sum(len(image.instances) for image in truth.images)
    with Project.open(data / "images", read_only=True) as project:
        documents = {item.path: project.load(item.id) for item in project.media()}
    ids = sorted(one.id for document in documents.values() for one in document.instances)
    assert ids == list(range(9001, 9001 + count))
    flagged = [path for path, document in documents.items() if CHECK in document.state.flags]
    assert sorted(flagged) == sorted(figures["doubtful_images"])
    assert all(documents[path].state.review is ReviewState.PROPOSED for path in flagged)
    assert main.main([*command]) == 0
    assert json.loads(capsys.readouterr().out)["masks"] == 0


def test_that_a_model_or_a_folder_that_is_not_there_is_told_and_nothing_is_changed(
    truth: LabelledSet, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = as_coco(truth, data)
    assert main.main(["upgrade", str(source), "--model", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert not (data / "images" / ".maskwright").exists()
    assert main.main(["upgrade", str(data / "none"), "--boxes", "project"]) == 1
    assert "no folder called" in capsys.readouterr().err


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`finder`, the starter without its masks, and `ssd`, which has learned nothing."""
    store = ModelStore(tmp_path_factory.mktemp("models"))
    starter = store.resolve("starter")
    spec = replace(starter.card.spec, architecture="fasterrcnn_resnet18_slim_fpn", prompts=False)
    finder = build(spec)
    known = load_network(starter).state_dict()
    finder.load_state_dict({key: known[key] for key in finder.state_dict()})
    save_version(store.root, "finder", finder, replace(starter.card, spec=spec))
    torch.manual_seed(4)
    torch.save(
        build_ssd(NetworkSpec("ssdlite320_mobilenet_v3_large", 4)).state_dict(), store.root / "ssd.pth"
    )
    store.import_file(store.root / "ssd.pth", classes=starter.card.classes)
    return store.root


def test_that_the_boxes_of_a_detector_without_masks_become_masks(
    truth: LabelledSet, data: Path, tmp_path: Path, detectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(detectors))
    photos, out = data / "images", tmp_path / "out"
    assert main.main(["label", str(photos), "--model", "finder"]) == 0
    with Project.open(photos, read_only=True) as project:
        before = {one.id: one for item in project.media() for one in project.load(item.id).instances}
    assert all(one.mask is None for one in before.values())
    assert (
        main.main(["upgrade", str(photos), "--boxes", "project", "--threshold", "0.6", "--out", str(out)])
        == 0
    )
    with Project.open(photos, read_only=True) as project:
        after = {one.id: one for item in project.media() for one in project.load(item.id).instances}
    assert after.keys() == before.keys()
    assert {one.id for one in after.values() if one.mask} == {
        one.id for one in before.values() if one.score is not None and one.score >= 0.6
    }
    assert all(one.class_id == before[one.id].class_id for one in after.values())
    assert all(one.provenance.is_proposal for one in after.values())
    (written,) = out.rglob("*.json")
    scores = [
        best(one.mask, true)
        for image in read_coco(written).images
        for true in truth.images
        for one in image.instances
        if one.mask is not None and true.path.name == image.path.name
    ]
    assert len(scores) == sum(one.mask is not None for one in after.values())
    assert sum(scores) / len(scores) > 0.68


def test_that_an_ssd_labels_with_boxes_and_is_no_model_for_masks(
    data: Path, detectors: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(detectors))
    command = ["label", str(data / "images"), "--model", "ssd", "--max-detections", "7", "--json"]
    assert main.main(command) == 0
    assert json.loads(capsys.readouterr().out)["instances"] == 14
    with Project.open(data / "images", read_only=True) as project:
        found = [one for item in project.media() for one in project.load(item.id).instances]
    assert all(one.mask is None and one.box_xyxy is not None for one in found)
    assert main.main(["upgrade", str(data / "images"), "--boxes", "project", "--model", "ssd"]) == 1
    assert "makes no masks" in capsys.readouterr().err


def test_that_what_a_yolo_detector_writes_needs_its_classes_names_alone(
    truth: LabelledSet, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = as_yolo(truth, data) / "labels"
    for file in labels.iterdir():  # with a score a line, and no data.yaml
        file.write_text("".join(f"{line} 0.75\n" for line in file.read_text().splitlines()))
    (data / "data.yaml").unlink()
    command = ["upgrade", str(labels), "--boxes", "yolo", "--images", str(data / "images")]
    assert main.main(command) == 1
    assert "what their classes are called" in capsys.readouterr().err
    (labels / "classes.txt").write_text("\n".join(one.name for one in truth.classes))
    assert main.main(command) == 0
    with Project.open(data / "images", read_only=True) as project:
        found = [one for item in project.media() for one in project.load(item.id).instances]
    assert len(found) == sum(len(image.instances) for image in truth.images)
    assert {one.score for one in found} == {0.75}
    assert sum(one.mask is not None for one in found) > 0.9 * len(found)
