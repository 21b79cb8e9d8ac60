"""labelme: every kind of shape, groups, unknown keys, and files of labelme's own."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.errors import DataError
from engine.formats.reading import Pictures, ReadImage, Reading
from engine.formats.registry import format_named, recognise
from engine.formats.source import Source
from tests.engine.formats.making import HEIGHT, WIDTH, apart, image, instances, write

LABELME = format_named("labelme")


def shape(kind: str, points: Any, label: str = "cell", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def document(*shapes: Any, **more: Any) -> dict[str, Any]:
    return {
        "version": "5.7.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        **more,
    }


def read(folder: Path, data: Any, *, strict: bool = True) -> tuple[ReadImage, Reading]:
    (folder / "a.json").write_text(json.dumps(data))
    reading = Reading(Pictures(folder, ["a.png"], {"a.png": (WIDTH, HEIGHT)}), strict=strict)
    (found,) = LABELME.read(Source(folder / "a.json"), reading)
    return found, reading


def test_that_every_kind_of_shape_is_read(tmp_path: Path) -> None:
    crop = np.zeros((4, 5), np.uint8)
    crop[1:3, 1:4] = 255
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "PNG")
    png = base64.b64encode(buffer.getvalue()).decode()
    got, reading = read(
        tmp_path,
        document(
            shape("polygon", [[2, 2], [8, 2], [8, 6], [2, 6]]),
            shape("rectangle", [[9, 9], [3, 4]], "box"),
            shape("circle", [[15, 10], [15, 13]], "disc"),
            shape("oriented_rectangle", [[20, 2], [24, 2], [24, 5], [20, 5]], "turned"),
            shape("mask", [[10, 3], [14, 6]], "pixels", mask=png),
            shape("point", [[5.5, 6.5]], "dot"),
            shape("line", [[0, 0], [5, 5]], "edge"),
            shape("linestrip", [[0, 0], [5, 5], [6, 1]], "edge"),
        ),
    )
    by_name = {reading.classes.known(one.class_id, "").name: one for one in got.instances}
    areas = {name: one.mask.area if one.mask else None for name, one in by_name.items()}
    assert areas == {"cell": 24, "box": None, "disc": 32, "turned": 12, "pixels": 6, "dot": None}
    assert by_name["box"].box_xyxy == (3.0, 4.0, 9.0, 9.0)
    assert [(p.x, p.y, p.visibility) for p in by_name["dot"].keypoints] == [(5.5, 6.5, 2)]
    assert sum(reading.left_out.values()) == 2


def test_that_all_shapes_come_back_as_they_were(tmp_path: Path) -> None:
    before = document(
        shape("polygon", [[2.25, 2], [8, 2], [8, 6.5]], description="a note", flags={"hard": True}),
        shape("rectangle", [[3, 4], [9, 9]], "box", attributes={"colour": "red"}),
        shape("circle", [[15, 10], [15, 13]], "disc"),
        shape("oriented_rectangle", [[20, 2], [24, 2], [24, 5], [20, 5]], "turned", direction=1.5),
        shape("point", [[5.5, 6.5]], "dot"),
        shape("linestrip", [[0, 0], [5, 5], [6, 1]], "edge", mine=[1, {"x": None}]),
        flags={"seen": True, "bad": False},
        mine={"deep": [1, 2]},
    )
    got, reading = read(tmp_path, before)
    out = replace(image("a.png", got.instances), extra=got.extra, flags=got.flags)
    write(LABELME, [out], tmp_path / "out", classes=reading.classes.all)
    after = json.loads((tmp_path / "out" / "a.json").read_text())
    assert {k: v for k, v in after.items() if k != "shapes"} == {
        k: v for k, v in before.items() if k != "shapes"
    }
    for old, new in zip(before["shapes"], after["shapes"], strict=True):
        for key, value in old.items():
            assert new[key] == value, (old, key)


def test_that_shapes_of_one_group_are_one_instance_with_its_keypoints(tmp_path: Path) -> None:
    got, reading = read(
        tmp_path,
        document(
            shape("polygon", [[0, 0], [4, 0], [4, 4], [0, 4]], group_id=7),
            shape("polygon", [[10, 0], [14, 0], [14, 4], [10, 4]], group_id=7),
            shape("point", [[1, 1]], "left", group_id=7),
            shape("point", [[12, 1]], "right", group_id=7),
        ),
    )
    (one,) = got.instances
    assert one.mask is not None
    assert one.mask.area == 32
    assert [p.x for p in one.keypoints] == [1, 12]
    assert reading.classes.known(one.class_id, "").keypoints == ("left", "right")


def test_that_the_picture_is_beside_the_file_whatever_its_path_says(tmp_path: Path) -> None:
    for said in ("..\\pictures\\a.png", "/etc/a.png", "C:\\a.png", "other.png", None):
        got, _ = read(tmp_path, document(imagePath=said))
        assert got.name == "a.png"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shape("polygon", [[0, 0], [1, 1]]), "at least three"),
        (shape("polygon", [[0, 0], [1, 1], [float("nan"), 2]]), "finite"),
        (shape("polygon", [[0, 0], [1, 1], [1e7, 2]]), "far outside"),
        (shape("circle", [[0, 0]]), "centre and one point"),
        (shape("mask", [[0, 0], [3, 3]], mask="!!"), "base64"),
        (shape("mask", [[0, 0], [3, 3]], mask="aGVsbG8="), "PNG"),
        (shape("star", [[0, 0], [3, 3]]), "not known"),
        (shape("polygon", [[0, 0], [1, 0], [1, 1]], label=" "), "label"),
        (shape("polygon", [[0, 0], [1, 0], [1, 1]], group_id="x"), "group_id"),
        (17, "must be a JSON object"),
    ],
)
def test_that_a_wrong_shape_is_named_and_the_others_are_read(tmp_path: Path, change: Any, said: str) -> None:
    good = shape("polygon", [[0, 0], [4, 0], [4, 4], [0, 4]])
    with pytest.raises(DataError, match=rf"a\.json: shape number 2.*{said}"):
        read(tmp_path, document(good, change))
    got, reading = read(tmp_path, document(good, change), strict=False)
    assert len(got.instances) == 1
    assert reading.problem_count == 1


def test_that_a_mask_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    small = io.BytesIO()
    Image.new("1", (8, 8)).save(small, "PNG")
    data = bytearray(small.getvalue())
    data[16:24] = struct.pack(">II", 60_000, 60_000)  # the header's width and height
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    png = base64.b64encode(bytes(data)).decode()
    with pytest.raises(DataError, match="too many"):
        read(tmp_path, document(shape("mask", [[0, 0], [3, 3]], mask=png)))


def test_that_files_of_labelme_itself_are_read_without_a_fault(shared_data: Path) -> None:
    of_their_examples = (
        "instance_segmentation",
        "video_annotation",
        "semantic_segmentation",
        "bbox_detection",
    )
    for folder in ("primitives", "tutorial", *(f"{one}/data_annotated" for one in of_their_examples)):
        place = shared_data / "formats" / "labelme" / "examples" / folder
        source = Source(place)
        assert recognise(source).name == "labelme"
        pictures = [name for name in source.files if name.endswith(".jpg")]
        reading = Reading(Pictures(place, pictures), strict=True)
        found = list(LABELME.read(source, reading))
        shapes = [json.loads(p.read_text())["shapes"] for p in place.glob("*.json")]
        assert len(found) == len(shapes)
        assert sum(len(one.instances) for one in found) > 0


def test_that_a_whole_mask_is_read_by_labelme_s_own_rule(shared_data: Path, tmp_path: Path) -> None:
    """Of `shape_to_mask`: the crop lies at the truncated first corner; no reader of ours is involved."""
    place = shared_data / "formats" / "labelme" / "examples" / "primitives"
    shutil.copy(place / "primitives.json", tmp_path)
    before = image("a.png", instances(apart()[:1]))
    write(LABELME, [before], tmp_path / "out")
    written = json.loads((tmp_path / "out" / "a.json").read_text())["shapes"][0]
    crop = np.asarray(Image.open(io.BytesIO(base64.b64decode(written["mask"]))))
    (x1, y1), (x2, y2) = np.asarray(written["points"]).astype(int)
    theirs = np.zeros((HEIGHT, WIDTH), np.bool_)
    theirs[y1 : y2 + 1, x1 : x2 + 1] = crop
    assert before.instances[0].mask is not None
    assert np.array_equal(theirs, before.instances[0].mask.to_full(HEIGHT, WIDTH))
