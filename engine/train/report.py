"""A folder that shows a measurement: the figures as JSON and the worst images beside their truth."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from engine.document.records import Instance
from engine.errors import DataError
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.media.image import read_rgb
from engine.models.card import Json, ModelVersion
from engine.overlay import draw
from engine.train.evaluate import Evaluation
from engine.train.scores import Scores, score

SHOWN_SCORE = 0.5
WORST_SHOWN = 8
GAP = 8
"""Pixels between truth and detections."""


def figures(version: ModelVersion, truth: LabelledSet, evaluation: Evaluation) -> dict[str, Json]:
    """The figures of a measurement as JSON: model, data, AP over all and by class."""
    return {
        "model": version.card.name,
        "model_sha256": version.card.sha256,
        "images": len(truth.images),
        "instances": truth.instance_count,
        "data_fingerprint": truth.fingerprint(),
        "metrics": _rounded(evaluation.scores.metrics),
        "per_class": {name: _rounded(values) for name, values in evaluation.scores.per_class.items()},
    }


def write_report(folder: Path, version: ModelVersion, truth: LabelledSet, evaluation: Evaluation) -> None:
    """Write `metrics.json` and up to 8 pictures, the worst image first: truth left, detections right.

    An image is as bad as its own AP is low; without objects, as detections on it are many. Detections
    below a score of 0.5 are left out of the pictures. Raises DataError where the folder cannot be written.
    """
    content = figures(version, truth, evaluation)
    ranked = worst_first(truth, evaluation.found)
    content["worst_images"] = [image.path.name for image, _, _ in ranked]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
        for place, (image, found, ap) in enumerate(ranked[:WORST_SHOWN], start=1):
            _write_picture(
                folder / f"{place:02}-ap{100 * ap:03.0f}-{image.path.stem}.png", image, found, truth
            )
    except OSError as e:
        raise DataError(f"The report cannot be written to {folder}: {e.strerror or e}.") from e


def worst_first(
    truth: LabelledSet, found: Sequence[Sequence[Instance]]
) -> list[tuple[LabelledImage, Sequence[Instance], float]]:
    """Every image with its detections and its own AP, the lowest first."""
    rated = []
    for image, detections in zip(truth.images, found, strict=True):
        one = truth.with_images((image,))
        rated.append((image, detections, _own_ap(score(one, [detections]), detections)))
    return sorted(rated, key=lambda entry: entry[2])


def _own_ap(scores: Scores, found: Sequence[Instance]) -> float:
    ap = scores.metrics.get("mask_ap", scores.metrics.get("box_ap"))
    if ap is not None:
        return ap
    return 1.0 / (1 + sum((one.score or 0.0) >= SHOWN_SCORE for one in found))


def _write_picture(file: Path, image: LabelledImage, found: Sequence[Instance], truth: LabelledSet) -> None:
    pixels = read_rgb(image.path, image.frame)
    classes = {one.id: one for one in truth.classes}
    shown = [one for one in found if (one.score or 0.0) >= SHOWN_SCORE]
    plain = [dataclasses.replace(one, score=None) for one in image.instances]
    gap = np.full((pixels.shape[0], GAP, 3), 255, np.uint8)
    both = np.hstack([draw(pixels, plain, classes), gap, draw(pixels, shown, classes)])
    done, png = cv2.imencode(".png", cv2.cvtColor(both, cv2.COLOR_RGB2BGR))
    if not done:
        raise DataError(f"The report's picture {file} cannot be made: {image.path} is too large.")
    file.write_bytes(png.tobytes())


def _rounded(values: Mapping[str, float]) -> dict[str, Json]:
    return {name: round(value, 4) for name, value in values.items()}
