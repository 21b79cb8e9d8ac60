"""COCO average precision of detections against the truth, by mask, boundary and box. No torch here.

Definition: https://cocodataset.org/#detection-eval, with up to 300 detections an image in place of
100, since microscopy pictures hold more. An ignore region counts as a crowd of every class: what is
found in it is neither right nor wrong. The overlaps are made on crops here; matching them and
averaging the precision is the library's work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from engine.document.records import Instance
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.boundary import boundary_overlaps
from engine.train.overlap import Overlaps, box_overlaps, mask_overlaps

MAX_DETECTIONS = 300
AREAS = ("all", "small", "medium", "large")
"""COCO's: small is below 32 x 32 pixels of the picture, large above 96 x 96."""

KINDS: Mapping[str, Callable[[Sequence[Instance], Sequence[Instance], LabelledImage], Overlaps]] = {
    "mask": mask_overlaps,
    "boundary": boundary_overlaps,
    "box": box_overlaps,
}
"""What AP can go by, and how much a detection and an instance have in common by it."""

IOU_50, IOU_75 = 0, 5
"""Where these two IoU thresholds are in a curve."""

Curve = NDArray[np.float64]
"""Precision, 0..1: IoU thresholds 0.5, 0.55 .. 0.95 x recalls 0, 0.01 .. 1 x classes; -1 for a class
without a true instance."""

_Annotation = dict[str, int | float]


@dataclass(frozen=True, slots=True)
class Scores:
    """AP and recall on a 0-1 scale.

    metrics: `mask_ap`, `mask_ap50`, `mask_ap75`, `mask_ap_small` (medium, large), `mask_recall`, and the
    same for `boundary` and `box`. A figure without anything to measure it on is absent. per_class:
    `mask_ap`, `mask_ap50` and `mask_ap75` (boundary and box alike) of each class that the truth holds, by
    name. instances: how many the truth holds, by class name, and sizes: by `small`, `medium` and `large`.
    curves: by kind (mask, boundary, box).
    """

    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    instances: Mapping[str, int]
    sizes: Mapping[str, int]
    curves: Mapping[str, Curve] = field(repr=False, compare=False)

    @property
    def main(self) -> str:
        """The kind that counts: mask where there are masks, else box."""
        return "mask" if "mask" in self.curves else "box"


def score(
    truth: LabelledSet, found: Sequence[Sequence[Instance]], kinds: Sequence[str] = tuple(KINDS)
) -> Scores:
    """Score detections, given for each image of `truth` in order.

    A detection is an Instance with a score whose class_id is one of the truth's classes. Masks and
    boundaries are scored where the truth has any.
    """
    metrics: dict[str, float] = {}
    per_class: dict[str, dict[str, float]] = {c.name: {} for c in truth.classes}
    curves: dict[str, Curve] = {}
    true = [one for image in truth.images for one in image.instances]
    if all(one.mask is None for one in true):
        kinds = ("box",)
    for kind in kinds:
        precision, recall = _measured(truth, found, kind)
        curves[kind] = precision[..., 0]
        metrics |= _summary(precision, recall, kind)
        for k, one in enumerate(truth.classes):
            own = _summary(precision[:, :, k : k + 1], recall[:, k : k + 1], kind)
            wanted = (f"{kind}_ap", f"{kind}_ap50", f"{kind}_ap75")
            per_class[one.name] |= {name: own[name] for name in wanted if name in own}
    return Scores(
        metrics,
        {name: values for name, values in per_class.items() if values},
        {c.name: sum(one.class_id == c.id for one in true) for c in truth.classes},
        _sizes(true),
        curves,
    )


def _summary(precision: NDArray[np.float64], recall: NDArray[np.float64], kind: str) -> dict[str, float]:
    """precision: IoU x recall x class x area; recall: IoU x class x area; -1 where nothing is true."""
    wanted = {
        "ap": precision[..., 0],
        "ap50": precision[IOU_50, ..., 0],
        "ap75": precision[IOU_75, ..., 0],
        **{f"ap_{area}": precision[..., a] for a, area in enumerate(AREAS) if a},
        "recall": recall[..., 0],
    }
    means = {name: values[values > -1] for name, values in wanted.items()}
    return {f"{kind}_{name}": float(values.mean()) for name, values in means.items() if values.size}


def _measured(
    truth: LabelledSet, found: Sequence[Sequence[Instance]], kind: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall, as `_summary` takes them."""

    def overlaps(number: int, class_id: int) -> Overlaps | list[float]:
        """In the library's order: the surest detection first, ignore regions after the instances."""
        image = truth.images[number - 1]
        own = [one for one in found[number - 1] if one.class_id == class_id]
        true = [one for one in image.instances if one.class_id == class_id]
        if not own or not (true or image.ignore):
            return []
        surest = sorted(own, key=lambda one: -(one.score or 0.0))[:MAX_DETECTIONS]
        return KINDS[kind](surest, true, image)

    evaluation = COCOeval_faster(
        _indexed(truth, _true(truth)), _indexed(truth, _found(truth, found, kind)), "bbox"
    )
    evaluation.computeIoU = overlaps
    evaluation.params.maxDets = [1, 10, MAX_DETECTIONS]
    evaluation.evaluate()
    evaluation.accumulate()
    order = np.argsort(np.argsort([c.id for c in truth.classes]))  # the library sorts classes by id
    precision, recall = (np.asarray(evaluation.eval[key]) for key in ("precision", "recall"))
    return precision[..., -1][:, :, order], recall[..., -1][:, order]


def _indexed(truth: LabelledSet, annotations: Iterator[_Annotation]) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": n, "width": m.width, "height": m.height} for n, m in _numbered(truth)],
        "categories": [{"id": c.id, "name": c.name} for c in truth.classes],
        "annotations": [{**one, "id": n} for n, one in enumerate(annotations, start=1)],
    }
    coco.createIndex()
    return coco


def _numbered(truth: LabelledSet) -> Iterator[tuple[int, LabelledImage]]:
    return enumerate(truth.images, start=1)


def _true(truth: LabelledSet) -> Iterator[_Annotation]:
    for number, image in _numbered(truth):
        for one in image.instances:
            yield {"image_id": number, "category_id": one.class_id, "area": _area(one), "iscrowd": 0}
        for region in image.ignore:
            for known in truth.classes:
                crowd = {"category_id": known.id, "area": region.mask.area, "iscrowd": 1}
                yield {"image_id": number, **crowd}


def _found(truth: LabelledSet, found: Sequence[Sequence[Instance]], kind: str) -> Iterator[_Annotation]:
    for (number, _), instances in zip(_numbered(truth), found, strict=True):
        for one in instances:
            area = _box_area(one) if kind == "box" else _area(one)
            own = {"category_id": one.class_id, "area": area, "score": one.score or 0.0}
            yield {"image_id": number, "iscrowd": 0, **own}


def _area(one: Instance) -> float:
    return one.mask.area if one.mask is not None else _box_area(one)


def _box_area(one: Instance) -> float:
    x0, y0, x1, y1 = one.bounds_xyxy
    return (x1 - x0) * (y1 - y0)


def _sizes(true: Sequence[Instance]) -> dict[str, int]:
    areas = [_area(one) for one in true]
    small, large = (sum(area < 32**2 for area in areas), sum(area > 96**2 for area in areas))
    return {"small": small, "medium": len(areas) - small - large, "large": large}
