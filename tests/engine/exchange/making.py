"""Folders with real (tiny) pictures and label files for the tests of imports and exports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.engine.formats.making import HEIGHT, WIDTH


def pictures(
    folder: Path, names: Sequence[str] = ("a.png", "b.png"), size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Path:
    """Grey pictures of that width and height."""
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place), np.full((size[1], size[0], 3), 90, np.uint8))
    return folder


def annotation(id_: int = 1, image_id: int = 1, **more: Any) -> dict[str, Any]:
    """A square of 4 pixels a side."""
    square = [[2, 2, 6, 2, 6, 6, 2, 6]]
    return {"id": id_, "image_id": image_id, "category_id": 3, "bbox": [2, 2, 4, 4], "area": 16,
            "iscrowd": 0, "segmentation": square, **more}  # fmt: skip


def coco(
    names: Sequence[str] = ("a.png", "b.png"), annotations: Sequence[Any] = (), **more: Any
) -> dict[str, Any]:
    """A COCO file of those pictures with one class."""
    return {
        "images": [
            {"id": n, "file_name": name, "width": WIDTH, "height": HEIGHT} for n, name in enumerate(names, 1)
        ],
        "annotations": list(annotations),
        "categories": [{"id": 3, "name": "cell", "supercategory": "tissue"}],
        **more,
    }


def saved(place: Path, data: Any) -> Path:
    """The data as JSON at a place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(data), encoding="utf-8")
    return place
