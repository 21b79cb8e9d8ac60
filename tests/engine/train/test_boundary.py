"""Boundaries and their overlap: by hand, against erosion written out, and against the COCO libraries."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools.coco import COCO as PlainCOCO  # noqa: N811
from pycocotools.cocoeval import COCOeval

from engine.document.masks import EMPTY, Mask, to_rle
from engine.document.records import ClassDef, IgnoreRegion, Instance
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.boundary import boundary, boundary_overlaps
from engine.train.scores import score

A, B = ClassDef(5, "a", "#ff0000"), ClassDef(2, "b", "#00ff00")


def block(x: int, y: int, width: int, height: int) -> Mask:
    return Mask.from_crop(x, y, np.ones((height, width), np.bool_))


def one(mask: Mask, *, score: float | None = None, class_id: int = A.id) -> Instance:
    return Instance(1, class_id, mask, score=score)


def picture(*instances: Instance, side: int = 200, ignore: tuple[Mask, ...] = ()) -> LabelledImage:
    regions = tuple(IgnoreRegion(90 + n, mask) for n, mask in enumerate(ignore))
    return LabelledImage(Path("x.png"), side, side, instances, regions)


def written_out(full: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """The pixels from which a step of at most `reach` in each direction leads out of the mask."""
    height, width = full.shape
    found = np.zeros_like(full)
    for y, x in np.argwhere(full):
        rows = range(y - reach, y + reach + 1)
        columns = range(x - reach, x + reach + 1)
        inside = all(0 <= r < height and 0 <= c < width and full[r, c] for r in rows for c in columns)
        found[y, x] = not inside
    return found


@given(st.integers(0, 2**32 - 1), st.integers(5, 90), st.integers(5, 90))
def test_that_a_boundary_is_what_erosion_written_out_leaves(seed: int, height: int, width: int) -> None:
    chance = np.random.default_rng(seed)
    full = np.zeros((height, width), np.bool_)
    for _ in range(3):
        y, x = chance.integers(0, height), chance.integers(0, width)
        full[y : y + chance.integers(1, 40), x : x + chance.integers(1, 40)] ^= True
    reach = max(1, round(0.02 * float(np.hypot(height, width))))
    ours = boundary(Mask.from_full(full), height=height, width=width)
    assert np.array_equal(ours.to_full(height, width), written_out(full, reach))


def test_that_the_edge_of_the_picture_is_an_edge_of_a_mask_that_it_cuts() -> None:
    # 200 x 200: the diagonal is 282.8, the boundary 6 pixels wide.
    cut = boundary(block(0, 0, 40, 40), height=200, width=200)
    assert cut.area == 40**2 - 28**2
    assert boundary(EMPTY, height=200, width=200) == EMPTY


def test_that_two_blocks_overlap_as_their_boundaries_do() -> None:
    # 80 x 80 shifted by 2: masks share 78 of 80 columns, IoU 6240 / 6560. Boundaries, 6 wide, have
    # 6400 - 68 * 68 = 1776 pixels each. In common: 78 x 80 less both inner parts, which cover 70 columns
    # of 68 rows: 6240 - 4760 = 1480.
    image = picture(one(block(60, 60, 80, 80)))
    (overlap,) = boundary_overlaps([one(block(62, 60, 80, 80), score=0.9)], image.instances, image)[0]
    assert overlap == pytest.approx(1480 / (2 * 1776 - 1480))
    scores = score(LabelledSet((A,), (image,)), [[one(block(62, 60, 80, 80), score=0.9)]])
    assert scores.metrics["mask_ap"] == pytest.approx(1.0)  # IoU 0.951
    assert scores.metrics["boundary_ap"] == pytest.approx(0.5)  # IoU 0.714 passes 0.5 to 0.7, five of ten
    assert scores.metrics["boundary_ap50"] == 1.0
    assert scores.metrics["boundary_ap75"] == 0.0


def test_that_a_hole_lowers_the_overlap_of_boundaries_more_than_that_of_masks() -> None:
    holed = np.ones((80, 80), np.bool_)
    holed[30:50, 30:50] = False
    image = picture(one(block(60, 60, 80, 80)))
    (overlap,) = boundary_overlaps([one(Mask.from_crop(60, 60, holed))], image.instances, image)[0]
    # The hole's own boundary, 32 x 32 - 20 x 20, is in the one alone; the masks' IoU is 6000 / 6400.
    assert overlap == pytest.approx(1776 / (1776 + 32**2 - 20**2))


def test_that_what_lies_in_an_ignore_region_is_forgiven_by_its_pixels_not_its_boundary() -> None:
    image = picture(one(block(10, 10, 40, 40)), ignore=(block(100, 60, 90, 90),))
    detections = [one(block(10, 10, 40, 40), score=0.8), one(block(120, 80, 30, 30), score=0.9)]
    assert score(LabelledSet((A,), (image,)), [detections]).metrics["boundary_ap"] == 1.0
    bare = dataclasses.replace(image, ignore=())
    assert score(LabelledSet((A,), (bare,)), [detections]).metrics["boundary_ap"] == pytest.approx(0.5)


def scene(seed: int, *, side: int = 240) -> tuple[LabelledSet, list[list[Instance]]]:
    """Four pictures of blobs in two classes, with detections from good to hopeless and an ignore region."""
    chance = np.random.default_rng(seed)

    def blob(x: int, y: int, radius: int) -> Mask:
        rows, columns = np.ogrid[:side, :side]
        return Mask.from_full((rows - y) ** 2 + 1.3 * (columns - x) ** 2 <= radius**2)

    images = list[LabelledImage]()
    found = list[list[Instance]]()
    for number in range(4):
        true, own = list[Instance](), list[Instance]()
        for _ in range(8):
            x, y, radius = (int(v) for v in (*chance.integers(0, side, 2), chance.integers(5, 90)))
            class_id = int(chance.choice((A.id, B.id)))
            true.append(Instance(len(true) + 1, class_id, blob(x, y, radius)))
            for _ in range(3):
                dx, dy, more = (int(v) for v in chance.integers(-4, 5, 3))
                mask = blob(x + dx, y + dy, max(4, radius + more // 2))
                own.append(Instance(len(own) + 1, class_id, mask, score=float(chance.random())))
        region = IgnoreRegion(99, blob(120, 120, 70))
        size = (side, side)
        images.append(LabelledImage(Path(f"{number}.png"), *size, tuple(true), (region,)))
        found.append([one for one in own if one.mask and not one.mask.is_empty])
    return LabelledSet((A, B), tuple(images)), found


def by_library(
    truth: LabelledSet, found: Sequence[Sequence[Instance]], library: Any, kind: str
) -> list[float]:
    """AP over all, small, medium and large instances, as a COCO library computes it from RLE."""

    def rle(mask: Mask) -> Any:
        return to_rle(mask, truth.images[0].height, truth.images[0].width)

    images = [{"id": n, "width": m.width, "height": m.height} for n, m in enumerate(truth.images, start=1)]
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(truth.images, start=1):
        shapes = [(one.class_id, one.mask, 0) for one in image.instances]
        shapes += [(c.id, region.mask, 1) for region in image.ignore for c in truth.classes]
        for class_id, mask, crowd in shapes:
            assert mask is not None
            own: dict[str, Any] = {
                "image_id": number,
                "category_id": class_id,
                "area": mask.area,
                "iscrowd": crowd,
            }
            own |= {"segmentation": rle(mask), "bbox": list(mask.bbox_xywh), "id": len(annotations) + 1}
            annotations.append(own)
    detections = [
        {
            "image_id": n,
            "category_id": one.class_id,
            "score": one.score,
            "segmentation": rle(one.mask or EMPTY),
        }
        for n, own in enumerate(found, start=1)
        for one in own
    ]
    known, evaluation = library
    with contextlib.redirect_stdout(io.StringIO()):
        coco = known()
        categories = [{"id": c.id, "name": c.name} for c in truth.classes]
        coco.dataset = {"images": images, "categories": categories, "annotations": annotations, "info": {}}
        coco.createIndex()
        run = evaluation(coco, coco.loadRes(copy.deepcopy(detections)), kind)
        run.params.maxDets = [1, 10, 300]
        run.evaluate()
        run.accumulate()
    precision = np.asarray(run.eval["precision"])[..., -1]
    return [float(area[area > -1].mean()) for area in np.moveaxis(precision, -1, 0)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_that_mask_and_boundary_ap_are_those_of_the_coco_libraries(seed: int) -> None:
    truth, found = scene(seed)
    metrics = score(truth, found).metrics
    ours = {
        k: [metrics[f"{k}_ap{a}"] for a in ("", "_small", "_medium", "_large")] for k in ("mask", "boundary")
    }
    assert 0.1 < ours["boundary"][0] < ours["mask"][0] < 0.9, "too easy or too hard to tell anything"
    assert ours["mask"] == pytest.approx(by_library(truth, found, (PlainCOCO, COCOeval), "segm"))
    assert ours["mask"] == pytest.approx(by_library(truth, found, (COCO, COCOeval_faster), "segm"))
    assert ours["boundary"] == pytest.approx(by_library(truth, found, (COCO, COCOeval_faster), "boundary"))
