"""COCO average precision of detections against the truth, by mask and by box. No torch here.

Definition: https://cocodataset.org/#detection-eval, with up to 300 detections an image in place of
100, since microscopy pictures hold more. An ignore region counts as a crowd of every class: what is
found in it is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from engine.document.masks import EMPTY, Mask, to_rle
from engine.document.records import Instance
from engine.formats.labelled import LabelledImage, LabelledSet

MAX_DETECTIONS = 300
AREAS = ("all", "small", "medium", "large")
"""COCO's: small is below 32 x 32 pixels of the picture, large above 96 x 96."""

_KINDS = {"mask": "segm", "box": "bbox"}


@dataclass(frozen=True, slots=True)
class Scores:
    """AP and recall on a 0-1 scale.

    metrics: `mask_ap`, `mask_ap50`, `mask_ap75`, `mask_ap_small` (medium, large), `mask_recall`, and the
    same for `box`. A figure without anything to measure it on is absent. per_class: `mask_ap` and
    `mask_ap50` (box alike) of each class that the truth holds, by name.
    """

    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]


def score(truth: LabelledSet, found: Sequence[Sequence[Instance]]) -> Scores:
    """Score detections, given for each image of `truth` in order.

    A detection is an Instance with a score whose class_id is one of the truth's classes. Masks are
    scored where the truth has any.
    """
    metrics: dict[str, float] = {}
    per_class: dict[str, dict[str, float]] = {c.name: {} for c in truth.classes}
    has_masks = any(one.mask is not None for image in truth.images for one in image.instances)
    for kind in ("mask", "box") if has_masks else ("box",):
        precision, recall = _curves(truth, found, kind)
        metrics |= _summary(precision, recall, kind)
        for k, one in enumerate(truth.classes):
            own = _summary(precision[:, :, k : k + 1], recall[:, k : k + 1], kind)
            per_class[one.name] |= {n: own[n] for n in (f"{kind}_ap", f"{kind}_ap50") if n in own}
    return Scores(metrics, {name: values for name, values in per_class.items() if values})


def _summary(precision: NDArray[np.float64], recall: NDArray[np.float64], kind: str) -> dict[str, float]:
    """precision: IoU x recall x class x area; recall: IoU x class x area; -1 where nothing is true."""
    wanted = {
        "ap": precision[..., 0],
        "ap50": precision[0, ..., 0],
        "ap75": precision[5, ..., 0],
        **{f"ap_{area}": precision[..., a] for a, area in enumerate(AREAS) if a},
        "recall": recall[..., 0],
    }
    means = {name: values[values > -1] for name, values in wanted.items()}
    return {f"{kind}_{name}": float(values.mean()) for name, values in means.items() if values.size}


def _curves(
    truth: LabelledSet, found: Sequence[Sequence[Instance]], kind: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = COCO()
    known.dataset = {
        "images": [{"id": i, "width": m.width, "height": m.height} for i, m in _numbered(truth)],
        "categories": [{"id": c.id, "name": c.name} for c in truth.classes],
        "annotations": [{**a, "id": n} for n, a in enumerate(_true(truth), start=1)],
    }
    known.createIndex()
    # The library answers in another shape where there are no detections: an empty one changes nothing.
    detections = list(_found(truth, found)) or [_nothing(truth)]
    evaluation = COCOeval_faster(known, known.loadRes(detections), _KINDS[kind])
    evaluation.params.maxDets = [1, 10, MAX_DETECTIONS]
    evaluation.params.catIds = [c.id for c in truth.classes]
    evaluation.evaluate()
    evaluation.accumulate()
    order = np.argsort(np.argsort([c.id for c in truth.classes]))  # the library sorts classes by id
    precision, recall = (np.asarray(evaluation.eval[key]) for key in ("precision", "recall"))
    return precision[..., -1][:, :, order], recall[..., -1][:, order]


def _numbered(truth: LabelledSet) -> Iterator[tuple[int, LabelledImage]]:
    return enumerate(truth.images, start=1)


def _true(truth: LabelledSet) -> Iterator[dict[str, object]]:
    for number, image in _numbered(truth):
        for one in image.instances:
            yield {**_geometry(one, image), "image_id": number, "category_id": one.class_id, "iscrowd": 0}
        for region in image.ignore:
            for known in truth.classes:
                crowd = _shape(region.mask, image) | {"area": region.mask.area}
                yield {**crowd, "image_id": number, "category_id": known.id, "iscrowd": 1}


def _found(truth: LabelledSet, found: Sequence[Sequence[Instance]]) -> Iterator[dict[str, object]]:
    for (number, image), instances in zip(_numbered(truth), found, strict=True):
        for one in instances:
            yield {
                **_geometry(one, image),
                "image_id": number,
                "category_id": one.class_id,
                "score": one.score,
            }


def _nothing(truth: LabelledSet) -> dict[str, object]:
    shape = _shape(EMPTY, truth.images[0])
    return {**shape, "area": 0.0, "image_id": 1, "category_id": truth.classes[0].id, "score": 0.0}


def _geometry(one: Instance, image: LabelledImage) -> dict[str, object]:
    x0, y0, x1, y1 = one.bounds_xyxy
    mask = one.mask if one.mask is not None else EMPTY
    area = mask.area if one.mask is not None else (x1 - x0) * (y1 - y0)
    return _shape(mask, image) | {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": area}


def _shape(mask: Mask, image: LabelledImage) -> dict[str, object]:
    x, y, width, height = mask.bbox_xywh
    return {
        "segmentation": to_rle(mask, image.height, image.width),
        "bbox": [float(x), float(y), float(width), float(height)],
    }
