"""Polygons, boxes and tables that we write, read by a few plain lines each that follow the published format.

A pixel belongs to a polygon where a ray from its centre crosses the outline an odd number of times.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from engine.document.records import Instance, Keypoint
from engine.formats.registry import Holds, format_named, formats
from tests.engine.formats.making import (
    CLASSES,
    HEIGHT,
    WIDTH,
    apart,
    difficult,
    full,
    image,
    instances,
    write,
)

Found = tuple[str, bytes]
Points = Iterable[tuple[float, float]]

X, Y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)


def inside(points: Points) -> np.ndarray:
    """The pixels whose centres lie in a ring, even-odd."""
    ring = [(float(x), float(y)) for x, y in points]
    odd = np.zeros((HEIGHT, WIDTH), np.bool_)
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
        crosses = (y0 <= Y) != (y1 <= Y)
        if y0 != y1:
            odd ^= crosses & (x0 + (Y - y0) / (y1 - y0) * (x1 - x0) <= X)
    return odd


def joined(rings: Iterable[Points]) -> np.ndarray:
    """All rings' pixels."""
    return np.asarray(np.any([inside(ring) for ring in rings], axis=0))


def pairs(text: str, outer: str = ";", inner: str = ",") -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (one.split(inner) for one in text.split(outer))]


def grouped(shapes: Iterable[tuple[object, str, Points]]) -> list[Found]:
    """The pixels of all shapes of a group, with its label."""
    groups: dict[object, tuple[str, list[Points]]] = {}
    for group, label, points in shapes:
        groups.setdefault(group, (label, []))[1].append(points)
    return [(label, np.packbits(joined(rings)).tobytes()) for label, rings in groups.values()]


def labelme(folder: Path) -> list[Found]:
    shapes = json.loads((folder / "a.json").read_text("utf-8"))["shapes"]
    assert all(shape["shape_type"] == "polygon" for shape in shapes)
    return grouped((s["group_id"] or f"alone {n}", s["label"], s["points"]) for n, s in enumerate(shapes))


def isat(folder: Path) -> list[Found]:
    data = json.loads((folder / "a.json").read_text("utf-8"))
    assert (data["info"]["width"], data["info"]["height"]) == (WIDTH, HEIGHT)
    return grouped((one["group"], one["category"], one["segmentation"]) for one in data["objects"])


def yolo(folder: Path) -> list[Found]:
    names = _yolo_names(folder)
    found = []
    for n, line in enumerate((folder / "labels" / "a.txt").read_text().splitlines()):
        number, *shares = line.split()
        points = zip(
            (float(v) * WIDTH for v in shares[0::2]), (float(v) * HEIGHT for v in shares[1::2]), strict=True
        )
        rounded = [(round(x, 6), round(y, 6)) for x, y in points]
        found.append((n, names[int(number)], rounded))
    return grouped(found)


def _yolo_names(folder: Path) -> list[str]:
    lines = (folder / "data.yaml").read_text("utf-8").partition("\nnames:\n")[2].splitlines()
    return [json.loads(line.partition(": ")[2]) for line in lines if line.startswith("  ")]


def cvat_images(folder: Path) -> list[Found]:
    root = ElementTree.parse(folder / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    shapes = root.iterfind("image[@name='a.png']/polygon")
    return grouped((n, s.get("label") or "", pairs(s.get("points") or "")) for n, s in enumerate(shapes))


def cvat_video(folder: Path) -> list[Found]:
    tracks = ElementTree.parse(folder / "annotations.xml").getroot().findall("track")
    shapes = [(track.get("id"), track.get("label") or "", shape) for track in tracks for shape in track]
    return grouped(
        (id_, label, pairs(s.get("points") or ""))
        for id_, label, s in shapes
        if s.get("frame") == "0" and s.get("outside") == "0"
    )


def label_studio(folder: Path) -> list[Found]:
    (task,) = json.loads((folder / "tasks.json").read_text("utf-8"))
    assert task["data"]["image"] == "a.png"
    return grouped(
        (one["id"], one["value"]["polygonlabels"][0],
         [(round(x / 100 * WIDTH, 6), round(y / 100 * HEIGHT, 6)) for x, y in one["value"]["points"]])
        for one in task["annotations"][0]["result"]
    )  # fmt: skip


def via_json(folder: Path) -> list[Found]:
    data = json.loads((folder / "via_project.json").read_text("utf-8"))["_via_img_metadata"]
    (entry,) = data.values()
    return [_via(one["shape_attributes"], one["region_attributes"]) for one in entry["regions"]]


def via_csv(folder: Path) -> list[Found]:
    with (folder / "via_annotations.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["region_count"] for row in rows} == {str(len(rows))}
    keys = ("region_shape_attributes", "region_attributes")
    return [_via(*(json.loads(row[key]) for key in keys)) for row in rows]


def _via(shape: dict[str, Any], attributes: dict[str, str]) -> Found:
    assert shape["name"] == "polygon"
    points = zip(shape["all_points_x"], shape["all_points_y"], strict=True)
    return attributes["class"], np.packbits(inside(points)).tobytes()


def cityscapes(folder: Path) -> list[Found]:
    data = json.loads((folder / "gtFine/train/pictures/a_gtFine_polygons.json").read_text("utf-8"))
    return grouped((n, one["label"], one["polygon"]) for n, one in enumerate(data["objects"]))


READERS: dict[str, Callable[[Path], list[Found]]] = {
    "labelme": labelme,
    "x-anylabeling": labelme,
    "isat": isat,
    "yolo-seg": yolo,
    "cvat-images": cvat_images,
    "cvat-video": cvat_video,
    "label-studio": label_studio,
    "via-json": via_json,
    "via-csv": via_csv,
    "cityscapes": cityscapes,
}


@pytest.mark.parametrize("name", READERS)
def test_that_a_plain_reader_sees_our_polygons_to_the_pixel(name: str, tmp_path: Path) -> None:
    one = format_named(name)
    before = image("a.png", instances(difficult() if Holds.OVERLAP in one.holds else apart()))
    write(one, [before], tmp_path / "out", polygons=one.has_polygons)
    names = {known.id: known.name for known in CLASSES}
    expected = sorted((names[i.class_id], np.packbits(full(i)).tobytes()) for i in before.instances)
    assert sorted(READERS[name](tmp_path / "out")) == expected


def test_that_pillow_sees_labelme_s_masks_in_their_corners(tmp_path: Path) -> None:
    before = image("a.png", instances(difficult()))
    write(format_named("labelme"), [before], tmp_path / "out")
    shapes = json.loads((tmp_path / "out" / "a.json").read_text("utf-8"))["shapes"]
    for one, shape in zip(before.instances, shapes, strict=True):
        (left, top), (right, bottom) = shape["points"]
        crop = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))).astype(np.bool_)
        assert crop.shape == (bottom - top + 1, right - left + 1)
        whole = np.zeros((HEIGHT, WIDTH), np.bool_)
        whole[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = crop
        assert np.array_equal(whole, full(one))


def test_that_yolo_s_boxes_and_points_are_shares_around_the_centre(tmp_path: Path) -> None:
    boxes = [Instance(1, 2, None, (3.0, 4.0, 13.0, 9.0), keypoints=(Keypoint(6, 5, 2), Keypoint(12, 8, 1)))]
    for name in ("yolo-detect", "yolo-pose"):
        write(format_named(name), [image("a.png", boxes)], tmp_path / name)
        (line,) = (tmp_path / name / "labels" / "a.txt").read_text().splitlines()
        number, *numbers = line.split()
        assert _yolo_names(tmp_path / name)[int(number)] == "wall of it"
        centre = [8 / WIDTH, 6.5 / HEIGHT, 10 / WIDTH, 5 / HEIGHT]
        points = [6 / WIDTH, 5 / HEIGHT, 2, 12 / WIDTH, 8 / HEIGHT, 1] if name == "yolo-pose" else []
        assert [float(one) for one in numbers] == pytest.approx([*centre, *points][: len(numbers)])
        assert len(numbers) == (4 if name == "yolo-detect" else 7)  # one, since no class has more


def test_that_a_label_png_s_table_and_a_class_png_s_palette_say_what_is_what(tmp_path: Path) -> None:
    before = image("a.png", instances(apart()))
    names = {known.id: known.name for known in CLASSES}
    write(format_named("label-png"), [before], tmp_path / "label")
    numbers = np.asarray(Image.open(tmp_path / "label" / "masks" / "a.png"))
    with (tmp_path / "label" / "instances.csv").open(newline="", encoding="utf-8") as file:
        rows = {int(row["id"]): row for row in csv.DictReader(file)}
    for one in before.instances:
        assert rows[one.id]["class"] == names[one.class_id]
        assert np.array_equal(numbers == int(rows[one.id]["value"]), full(one))
    write(format_named("class-png"), [before], tmp_path / "class")
    meta = json.loads((tmp_path / "class" / "dataset_meta.json").read_text("utf-8"))
    with Image.open(tmp_path / "class" / "masks" / "a.png") as picture:
        palette, pixels = picture.getpalette() or [], np.asarray(picture)
    for number, name in meta["label_map"].items():
        mine = [full(one) for one in before.instances if names[one.class_id] == name]
        theirs = pixels == int(number)
        assert np.array_equal(theirs, np.any(mine, axis=0)) or name == "background"
        assert palette[3 * int(number) : 3 * int(number) + 3] == meta["segmentation_colors"][int(number)]


ELSEWHERE = {"coco", "coco-panoptic", "youtube-vis", "mots-txt", "mots-png", "voc", "davis"}
"""Read by pycocotools, Pillow or xml.etree in test_independent.py."""
HERE = {"yolo-detect", "yolo-pose", "label-png", "class-png"}


def test_that_no_format_is_read_back_by_our_own_reader_alone() -> None:
    assert READERS.keys() | ELSEWHERE | HERE == formats().keys()
