"""A pass of the network as an explanation: what its stages said, taken to numpy and to image pixels.

Computes nothing that decides anything: boxes, scores and what each sieve left are the pass's own. Only which
better box it was that suppressed another is worked out here, by the IoU that decided it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops import boxes as box_ops

from engine.explanation import Contest, Explanation, Fate, FeatureLevel, StageOne, StageTwo
from engine.predict import network as stages
from engine.prediction import Prediction

FINEST = 2
"""The number of the finest level: P2."""
CHANNELS = 6
"""Of each level that are shown."""
LONGEST_SIDE = 256
"""Of a feature map as a picture."""
ROUNDING = 1e-3
"""By so much may an IoU that is worked out anew differ from the one that decided."""

Number = TypeVar("Number", bound=np.generic)


def explanation_of(network: FasterRCNN, whole: stages.Pass, prediction: Prediction) -> Explanation:
    """What a pass over one picture did to come to its prediction."""
    rpn, heads = cast(RegionProposalNetwork, network.rpn), cast(RoIHeads, network.roi_heads)
    resized = whole.found.shapes[0]
    scale = torch.tensor((prediction.width / resized[1], prediction.height / resized[0])).repeat(2)
    first, second = whole.first[0], whole.second[0]
    mask_pool = cast(MultiScaleRoIAlign | None, heads.mask_roi_pool)
    detections = whole.detections[0]
    return Explanation(
        prediction=prediction,
        resized=resized,
        levels=_levels(network, whole.found, scale),
        first=StageOne(
            _contest(first.sifted, first.objectness, first.levels, rpn.nms_thresh, scale),
            _numpy(first.anchors.cpu() * scale, np.float32),
            _numpy(first.levels, np.int64) + FINEST,
            _numpy(first.sifted.kept, np.int64),
        ),
        second=_second(second, first.proposals, heads, scale),
        mask_levels=_roi_levels(mask_pool or heads.box_roi_pool, detections.boxes),
        box_bins=heads.box_roi_pool.output_size[0],
        mask_bins=mask_pool.output_size[0] if mask_pool is not None else 0,
        score=heads.score_thresh,
        first_iou=rpn.nms_thresh,
        second_iou=heads.nms_thresh,
    )


def _second(second: stages.SecondStage, proposals: Tensor, heads: RoIHeads, scale: Tensor) -> StageTwo:
    chances = second.chances[:, 1:]
    classes = chances.shape[1]
    if len(chances):
        likeliest = torch.arange(len(chances), device=chances.device) * classes + chances.argmax(dim=1)
    else:
        likeliest = second.sifted.scored
    rows = torch.unique(torch.cat((second.sifted.scored, likeliest)))
    contest = _contest(second.sifted, chances.reshape(-1), second.labels, heads.nms_thresh, scale, rows)
    place = {row: n for n, row in enumerate(rows.tolist())}
    return StageTwo(
        contest,
        _numpy(torch.div(rows, classes, rounding_mode="floor"), np.int64),
        _numpy(second.labels[rows], np.int64),
        _roi_levels(heads.box_roi_pool, proposals),
        _numpy(second.chances[:, 0], np.float32),
        np.array([place[row] for row in second.sifted.kept.tolist()], np.int64),
    )


def _contest(
    sifted: stages.Sifted,
    scores: Tensor,
    groups: Tensor,
    iou: float,
    scale: Tensor,
    rows: Tensor | None = None,
) -> Contest:
    """What became of the boxes `rows` (rising; None for all)."""
    fates = torch.full((len(sifted.boxes),), int(Fate.LOW_SCORE), dtype=torch.uint8, device=scores.device)
    for left, fate in (
        (sifted.scored, Fate.SMALL),
        (sifted.large, Fate.BEATEN),
        (sifted.apart, Fate.SURPLUS),
        (sifted.kept, Fate.KEPT),
    ):
        fates[left] = int(fate)  # of what the next sieve removes; what is left gets another next
    beaten_by, met = _winners(sifted, groups, fates, iou)
    if rows is not None:
        place = torch.full_like(beaten_by, -1)
        place[rows] = torch.arange(len(rows), device=rows.device)
        winners = beaten_by[rows]
        beaten_by = torch.where(winners >= 0, place[winners.clamp(min=0)], winners)
        fates, met, scores, boxes = fates[rows], met[rows], scores[rows], sifted.boxes[rows]
    else:
        boxes = sifted.boxes
    return Contest(
        _numpy(boxes.cpu() * scale, np.float32),
        _numpy(scores, np.float32),
        _numpy(fates, np.uint8),
        _numpy(beaten_by, np.int64),
        _numpy(met, np.float32),
    )


def _winners(sifted: stages.Sifted, groups: Tensor, fates: Tensor, iou: float) -> tuple[Tensor, Tensor]:
    """For each box the one that beat it, or -1, and their IoU.

    Suppression goes through the boxes from the best down, so it is the first survivor that meets the box.
    """
    beaten_by = torch.full((len(sifted.boxes),), -1, dtype=torch.int64, device=groups.device)
    met = torch.zeros(len(sifted.boxes), device=groups.device)
    beaten = torch.nonzero(fates == int(Fate.BEATEN)).flatten()
    for group in torch.unique(groups[beaten]):
        losers = beaten[groups[beaten] == group]
        winners = sifted.apart[groups[sifted.apart] == group]
        pairs = box_ops.box_iou(sifted.boxes[losers], sifted.boxes[winners])
        most = pairs.max(dim=1).values
        over = torch.where(most > iou, iou, most - ROUNDING)
        place = (pairs > over[:, None]).to(torch.uint8).argmax(dim=1)  # the first that is over
        beaten_by[losers] = winners[place]
        met[losers] = pairs.gather(1, place[:, None])[:, 0]
    return beaten_by, met


def _roi_levels(pool: MultiScaleRoIAlign, boxes: Tensor) -> NDArray[np.int64]:
    mapper = pool.map_levels
    assert mapper is not None, "set_roi_scales was called when the predictor was made"
    return _numpy(mapper([boxes.float()]) + mapper.k_min, np.int64)


def _levels(network: FasterRCNN, found: stages.Features, scale: Tensor) -> tuple[FeatureLevel, ...]:
    made = []
    bases = cast(RegionProposalNetwork, network.rpn).anchor_generator.cell_anchors
    for n, (maps, base) in enumerate(zip(found.levels.values(), bases, strict=True)):
        down, across = (padded // cells for padded, cells in zip(found.padded, maps.shape[-2:], strict=True))
        rows, columns = -(-found.shapes[0][0] // down), -(-found.shapes[0][1] // across)
        seen = maps[0, :, :rows, :columns].float()
        most = seen.flatten(1).std(dim=1, correction=0).topk(min(CHANNELS, len(seen))).indices
        sides = (base[:, 2:] - base[:, :2]).float().cpu() * scale[:2]
        made.append(
            FeatureLevel(
                n + FINEST,
                (down, across),
                rows,
                columns,
                tuple((float(w), float(h)) for w, h in sides.tolist()),
                _pictures(seen.norm(dim=0, keepdim=True))[0],
                _pictures(seen[most]),
                tuple(most.tolist()),
            )
        )
    return tuple(made)


def _pictures(maps: Tensor) -> NDArray[np.uint8]:
    """C x H x W maps, each from its least to its greatest value, no longer than LONGEST_SIDE."""
    rows, columns = maps.shape[-2:]
    shrink = max(rows, columns) / LONGEST_SIDE
    if shrink > 1:
        maps = F.adaptive_avg_pool2d(maps[None], (max(int(rows / shrink), 1), max(int(columns / shrink), 1)))[
            0
        ]
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return _numpy((maps - low) / (high - low).clamp(min=1e-12) * 255, np.uint8)


def _numpy(of: Tensor | Sequence[int], kind: type[Number]) -> NDArray[Number]:
    return torch.as_tensor(of).cpu().numpy().astype(kind)
