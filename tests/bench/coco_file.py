"""A folder of pictures with a COCO file of any size: polygons as people draw, RLE as programs write."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np

from engine.document.masks import Mask, to_rle

WIDTH, HEIGHT = 640, 480
INSTANCES = 5  # an image
SHAPES = 400
RLE_SHARE = 0.25


def make(folder: Path, images: int) -> Path:
    """The pictures, links to a few, and `annotations.json`: 5 instances an image, every fourth an RLE.

    Annotations are in no order of their images, as in COCO's own files.
    """
    _pictures(folder, images)
    random_ = np.random.default_rng(0)
    outlines = [_outline(random_) for _ in range(SHAPES)]
    polygons = [[[round(float(v), 2) for v in ring] for ring in one] for one in outlines]
    masks = [json.dumps({"segmentation": rings, **_measures(rings)})[1:-1] for rings in polygons]
    exact = [json.dumps({"segmentation": _rle(rings)} | _measures(rings))[1:-1] for rings in polygons]
    kind = random_.random(images * INSTANCES) < RLE_SHARE
    shape = random_.integers(0, SHAPES, images * INSTANCES)
    owner = random_.permutation(np.repeat(np.arange(1, images + 1), INSTANCES))
    file = folder / "annotations.json"
    with file.open("w") as out:
        out.write('{"info": {"year": 2026}, "images": [')
        heads = (
            f'{{"id": {n + 1}, "file_name": "{name_of(n)}", "width": {WIDTH}, "height": {HEIGHT}}}'
            for n in range(images)
        )
        out.write(", ".join(heads))
        out.write('], "annotations": [')
        for n in range(images * INSTANCES):
            said = exact[shape[n]] if kind[n] else masks[shape[n]]
            head = f'"id": {n + 1}, "image_id": {owner[n]}, "category_id": {n % 80 + 1}, "iscrowd": 0'
            out.write(f"{', ' if n else ''}{{{head}, {said}}}")
        classes = [{"id": n, "name": f"class {n}", "supercategory": "thing"} for n in range(1, 81)]
        out.write(f'], "categories": {json.dumps(classes)}}}')
    return file


def name_of(number: int) -> str:
    """The picture of that number, from 0."""
    return f"folder_{number // 1000:03}/{number:06}.jpg"


def _pictures(folder: Path, images: int) -> None:
    _, encoded = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH, 3), 99, np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    original = folder / ".picture"
    for number in range(images):
        place = folder / name_of(number)
        if number % 1000 == 0:
            place.parent.mkdir()
            original = place
            original.write_bytes(encoded.tobytes())
        else:
            os.link(original, place)


def _outline(random_: np.random.Generator) -> list[np.ndarray]:
    """One or two wobbly rings of 12 to 60 corners, 15 to 200 pixels across: about what COCO's are."""
    rings = []
    for _ in range(1 + (random_.random() < 0.1)):
        corners = int(random_.integers(12, 60))
        angles = np.sort(random_.random(corners)) * 2 * np.pi
        radius = np.exp(random_.uniform(2, 4.6)) * random_.uniform(0.75, 1.0, corners)
        x = np.clip(random_.uniform(60, WIDTH - 60) + radius * np.cos(angles), 0, WIDTH)
        y = np.clip(random_.uniform(60, HEIGHT - 60) + radius * np.sin(angles), 0, HEIGHT)
        rings.append(np.stack((x, y), axis=1).reshape(-1))
    return rings


def _measures(rings: list[list[float]]) -> dict[str, object]:
    xs = [x for ring in rings for x in ring[0::2]]
    ys = [y for ring in rings for y in ring[1::2]]
    box = [round(v, 2) for v in (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))]
    return {"bbox": box, "area": round(box[2] * box[3] * 0.7, 2)}


def _rle(rings: list[list[float]]) -> dict[str, object]:
    full = np.zeros((HEIGHT, WIDTH), np.uint8)
    for ring in rings:
        cv2.fillPoly(full, [np.array(ring, np.float64).reshape(-1, 1, 2).round().astype(np.int32)], (1,))
    return {**to_rle(Mask.from_full(full), HEIGHT, WIDTH)}
