"""What Fit to the picture is worth: rough polygons as a hand draws them, before and after.

    python -m tests.bench.rough_outline val.json --model FILE [--images 50] [--pictures DIR]

For every instance of held-out pictures: a polygon of at most CORNERS corners that simplifies the truth, each
corner off by a normal NOISE of the root of its area; the same after Snap to edges, which needs no model; what
the model's mask in the polygon's box is alone; and what is fitted of both.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import cv2
import numpy as np

from engine.classical import snapped
from engine.device import use_threads
from engine.document.boolean import iou
from engine.document.mask import EMPTY, Mask
from engine.document.polygons import from_polygons
from engine.edges import masks_at_edges
from engine.hint import Hint, fitted
from engine.predict.prompts import Prompter
from engine.train.sources import load_labelled
from tests.bench.simulated_person import boundary_iou, instances_of, predictor_of

CORNERS, NOISE = 8, 0.05


def rough(true: Mask, draw: np.random.Generator, height: int, width: int) -> Mask:
    """The mask as a hand outlines its largest part in a hurry; EMPTY where that is nothing."""
    full = true.to_full(height, width).astype(np.uint8)
    contours, _ = cv2.findContours(full, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    ring = max(contours, key=cv2.contourArea)
    for tolerance in np.geomspace(1, max(full.shape), 60):
        simple = cv2.approxPolyDP(ring, float(tolerance), True)[:, 0]
        if len(simple) <= CORNERS:
            break
    if len(simple) < 3:
        return EMPTY
    moved = simple + 0.5 + draw.normal(0, NOISE * np.sqrt(true.area), simple.shape)
    return from_polygons([np.clip(moved, 0, (width, height))], height=height, width=width)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="COCO JSON with the truth")
    parser.add_argument("--model", required=True, help="a name or a file")
    parser.add_argument("--pictures", type=Path, help="where they are, if not beside the JSON")
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    use_threads(window=False)
    predictor = predictor_of(options.model)
    prompter = Prompter(predictor)
    draw = np.random.default_rng(options.seed)
    figures: dict[str, list[tuple[float, float]]] = {}
    for image, pixels, every in instances_of(
        load_labelled(options.data, options.pictures).images[: options.images]
    ):
        height, width = pixels.shape[:2]
        held = predictor.hold(pixels)
        for true in every:
            drawn = rough(true, draw, height, width)
            if drawn.is_empty:
                continue
            hint = Hint(drawn, height, width)
            answer = prompter.predict_polygon_hint(held, hint)
            best = fitted(answer, held.picture, hint)
            (alone,) = masks_at_edges(answer, held.picture, (), 0.5)
            for name, mask in (
                ("as drawn", drawn),
                ("snapped to edges", snapped(pixels, drawn)),
                ("the model's in its box", alone),
                ("fitted", drawn if best is None else best.mask),
            ):
                found = iou(mask, true), boundary_iou(mask, true, height, width)
                figures.setdefault(name, []).append(found)
        print(image.path.name, len(next(iter(figures.values()))), flush=True)
    means = {
        name: [round(statistics.fmean(column), 4) for column in zip(*rows, strict=True)]
        for name, rows in figures.items()
    }
    print(json.dumps({"iou, boundary iou": means}, indent=1))


if __name__ == "__main__":
    main()
