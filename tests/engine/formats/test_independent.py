"""What we write, read by others: pycocotools, Pillow, plain csv and xml. Our own reader proves nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from engine.formats.label_studio import decode, encode
from engine.formats.registry import format_named
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

pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools', under NumPy 2


def decoded(segmentation: Any) -> np.ndarray:
    """The pixels as the COCO API sees them."""
    if isinstance(segmentation, list):
        segmentation = coco_mask.merge(coco_mask.frPyObjects(segmentation, HEIGHT, WIDTH))
    return np.asarray(coco_mask.decode(segmentation)).astype(np.bool_)


@pytest.mark.parametrize("polygons", [False, True])
def test_that_the_coco_api_sees_our_very_masks(tmp_path: Path, polygons: bool) -> None:
    before = image("a.png", instances(difficult()))
    write(format_named("coco"), [before], tmp_path / "out", polygons=polygons)
    data = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert len(data["annotations"]) == len(before.instances)
    for one, written in zip(before.instances, data["annotations"], strict=True):
        assert np.array_equal(decoded(written["segmentation"]), full(one))
        assert written["area"] == full(one).sum()


def test_that_the_coco_api_sees_the_masks_of_videos_and_of_mots_lines(tmp_path: Path) -> None:
    before = image("s/1.png", instances(apart()))
    write(format_named("youtube-vis"), [before], tmp_path / "vis")
    data = json.loads((tmp_path / "vis" / "instances.json").read_text())
    theirs = {decoded(a["segmentations"][0]).tobytes() for a in data["annotations"]}
    assert theirs == {full(one).tobytes() for one in before.instances}
    write(format_named("mots-txt"), [before], tmp_path / "mots")
    lines = [line.split(" ", 5) for line in (tmp_path / "mots" / "s.txt").read_text().splitlines()]
    found = {
        decoded({"size": [int(words[3]), int(words[4])], "counts": words[5].encode()}).tobytes()
        for words in lines
    }
    assert found == theirs


def test_that_pillow_sees_our_numbers_in_palettes_and_in_16_bits(tmp_path: Path) -> None:
    before = image("a.png", instances(apart()))
    places = {
        "voc": "SegmentationObject/a.png",
        "davis": "Annotations/480p/sequence/a.png",
        "label-png": "masks/a.png",
        "mots-png": "instances/sequence/a.png",
        "cityscapes": "gtFine/train/pictures/a_gtFine_instanceIds.png",
    }
    for name, place in places.items():
        write(format_named(name), [before], tmp_path / name)
        with Image.open(tmp_path / name / place) as picture:
            assert picture.mode == ("P" if name in ("voc", "davis") else "I;16")
            numbers = np.asarray(picture).astype(np.int64)
        theirs = {(numbers == value).tobytes() for value in np.unique(numbers) if value}
        assert theirs == {full(one).tobytes() for one in before.instances}, name


def test_that_a_panoptic_colour_is_its_segment(tmp_path: Path) -> None:
    before = image("a.png", instances(apart()))
    write(format_named("coco-panoptic"), [before], tmp_path / "out")
    data = json.loads((tmp_path / "out" / "annotations" / "panoptic.json").read_text())
    rgb = np.asarray(Image.open(tmp_path / "out" / "annotations" / "panoptic" / "a.png.png")).astype(int)
    numbers = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    areas = {one["id"]: one["area"] for one in data["annotations"][0]["segments_info"]}
    assert areas == {value: int((numbers == value).sum()) for value in np.unique(numbers).tolist() if value}


def test_that_a_plain_xml_reader_sees_cvat_masks_and_voc_boxes(tmp_path: Path) -> None:
    before = image("a.png", instances(difficult()))
    write(format_named("cvat-images"), [before], tmp_path / "cvat")
    root = ElementTree.parse(tmp_path / "cvat" / "annotations.xml").getroot()
    for one, shape in zip(before.instances, root.iterfind("image/mask"), strict=True):
        flat: list[int] = []
        for n, run in enumerate(map(int, (shape.get("rle") or "").split(","))):
            flat += [n % 2] * run
        left, top, width, height = (int(shape.get(key) or 0) for key in ("left", "top", "width", "height"))
        theirs = np.zeros((HEIGHT, WIDTH), np.bool_)
        theirs[top : top + height, left : left + width] = np.array(flat).reshape(height, width)
        assert np.array_equal(theirs, full(one))
    write(format_named("voc"), [image("a.png", instances(apart()))], tmp_path / "voc")
    xml = ElementTree.parse(tmp_path / "voc" / "Annotations" / "a.xml").getroot()
    boxes = [[int(b.findtext(k) or 0) for k in ("xmin", "ymin", "xmax", "ymax")] for b in xml.iter("bndbox")]
    for one, box in zip(instances(apart()), boxes, strict=True):
        ys, xs = np.nonzero(full(one))
        assert box == [xs.min() + 1, ys.min() + 1, xs.max() + 1, ys.max() + 1]


def test_that_a_plain_csv_reader_sees_via_s_columns(tmp_path: Path) -> None:
    write(format_named("via-csv"), [image("a.png", instances(apart()))], tmp_path / "out")
    with (tmp_path / "out" / "via_annotations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [json.loads(row["region_attributes"])["class"] for row in rows] == [
        CLASSES[n % 3].name for n in range(len(rows))
    ]


def test_that_yolo_lines_are_shares_of_the_picture(tmp_path: Path) -> None:
    write(format_named("yolo-seg"), [image("a.png", instances(difficult()))], tmp_path / "out")
    for line in (tmp_path / "out" / "labels" / "a.txt").read_text().splitlines():
        number, *shares = line.split()
        assert int(number) < len(CLASSES)
        assert len(shares) % 2 == 0
        assert all(0 <= float(share) <= 1 for share in shares)


def test_that_label_studio_s_brush_is_its_own_code_to_the_bit() -> None:
    """Two pixels encoded by hand: 32 bits of length, 5 of the word, four sizes, then two runs."""
    bits = f"{8:032b}" + f"{7:05b}" + "0010" + "0011" + "0111" + "1111"
    bits += "1" + "00" + "011" + f"{0:08b}" + "1" + "00" + "011" + f"{255:08b}"
    bits += "0" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert decode(data, 8).tolist() == [0] * 4 + [255] * 4
    assert bytes(encode(np.array([[False, True]]))) == data
