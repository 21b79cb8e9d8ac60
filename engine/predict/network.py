"""The forward pass in stages over torchvision's modules: features, proposals, detections, masks.

The stages are apart so that a prompt can start from cached features and a batch can yield between
them. With the same caps the results are torchvision's own; what is saved is work whose result is
thrown away there: anchors are decoded after the top-k instead of before, and a mask's logits are
computed for its own class only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import boxes as box_ops

ROIS_AT_ONCE = 64
"""Mask head chunk: 64 RoIs of 256 x 28 x 28 float32 hold 51 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What the backbone says of a batch.

    levels: P2..P6 by torchvision's names "0".."3", "pool". pooled: the same, contiguous, for RoIAlign,
    which would copy them anew at every call. padded: height and width of the batch. shapes: height and
    width of each resized picture inside it.
    """

    levels: dict[str, Tensor]
    pooled: dict[str, Tensor]
    padded: tuple[int, int]
    shapes: list[tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """One image's boxes (N x 4, resized-image pixels), scores (N) and labels (N, 0 is background)."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def features(network: FasterRCNN, batch: Tensor, shapes: list[tuple[int, int]]) -> Features:
    """Run backbone and FPN. batch: N x 3 x H x W, normalised and padded."""
    height, width = batch.shape[-2:]
    levels = network.backbone(batch)
    pooled = {name: level.contiguous() for name, level in levels.items()}
    return Features(levels, pooled, (height, width), shapes)


def propose(network: FasterRCNN, found: Features) -> list[Tensor]:
    """Stage one, the RPN: R x 4 boxes an image in resized-image pixels, best first."""
    rpn = cast(RegionProposalNetwork, network.rpn)
    levels = list(found.levels.values())
    logits, deltas = rpn.head(levels)
    per_image: list[list[tuple[Tensor, Tensor]]] = [[] for _ in found.shapes]
    for level, (level_logits, level_deltas) in enumerate(zip(logits, deltas, strict=True)):
        tops = _top_of_level(rpn, level, level_logits.float(), level_deltas.float(), found.padded)
        for image, top in zip(per_image, tops, strict=True):
            image.append(top)
    return [_suppress(rpn, tops, shape) for tops, shape in zip(per_image, found.shapes, strict=True)]


def _top_of_level(
    rpn: RegionProposalNetwork, level: int, logits: Tensor, deltas: Tensor, padded: tuple[int, int]
) -> list[tuple[Tensor, Tensor]]:
    """Scores and decoded boxes of the best anchors of one level, an image each."""
    n, anchors_a_cell, rows, columns = logits.shape
    scores = logits.permute(0, 2, 3, 1).reshape(n, -1)
    best, index = scores.topk(min(rpn.pre_nms_top_n(), scores.shape[1]), dim=1)
    cell = torch.div(index, anchors_a_cell, rounding_mode="floor")
    x = (cell % columns) * (padded[1] // columns)
    y = torch.div(cell, columns, rounding_mode="floor") * (padded[0] // rows)
    base = rpn.anchor_generator.cell_anchors[level].to(logits)
    anchors = torch.stack((x, y, x, y), dim=2) + base[index % anchors_a_cell]
    moves = deltas.reshape(n, anchors_a_cell, 4, rows, columns).permute(0, 3, 4, 1, 2).reshape(n, -1, 4)
    moves = moves.gather(1, index[..., None].expand(-1, -1, 4))
    boxes = rpn.box_coder.decode_single(moves.reshape(-1, 4), anchors.reshape(-1, 4)).reshape(n, -1, 4)
    return [(best[i], boxes[i]) for i in range(n)]


def _suppress(
    rpn: RegionProposalNetwork, tops: list[tuple[Tensor, Tensor]], shape: tuple[int, int]
) -> Tensor:
    scores = torch.sigmoid(torch.cat([score for score, _ in tops]))
    boxes = box_ops.clip_boxes_to_image(torch.cat([box for _, box in tops]), shape)
    level = torch.cat([torch.full_like(score, i) for i, (score, _) in enumerate(tops)])
    keep = box_ops.remove_small_boxes(boxes, rpn.min_size)
    boxes, scores, level = boxes[keep], scores[keep], level[keep]
    keep = box_ops.batched_nms(boxes, scores, level, rpn.nms_thresh)
    return cast(Tensor, boxes[keep[: rpn.post_nms_top_n()]])


def detect(network: FasterRCNN, found: Features, proposals: list[Tensor]) -> list[Detections]:
    """Stage two, the box head: classes and refined boxes, suppressed per class, an image each."""
    heads = cast(RoIHeads, network.roi_heads)
    pooled = heads.box_roi_pool(found.pooled, proposals, found.shapes)
    logits, deltas = heads.box_predictor(heads.box_head(pooled))
    boxes, scores, labels = heads.postprocess_detections(
        logits.float(), deltas.float(), proposals, found.shapes
    )
    return [Detections(*one) for one in zip(boxes, scores, labels, strict=True)]


def mask_probabilities(
    network: FasterRCNN, found: Features, boxes: list[Tensor], labels: list[Tensor]
) -> list[Tensor]:
    """The mask head on any boxes: N x M x M probabilities an image, for each box's own class.

    boxes: N x 4, resized-image pixels, an image each; labels: N, 1-based.
    """
    heads = cast(RoIHeads, network.roi_heads)
    counts = [len(b) for b in boxes]
    image_of = torch.repeat_interleave(torch.tensor(counts)).tolist()
    flat_boxes, flat_labels = torch.cat(boxes), torch.cat(labels)
    chunks = []
    for start in range(0, len(flat_boxes), ROIS_AT_ONCE):
        part = slice(start, start + ROIS_AT_ONCE)
        per_image = _split_by_image(flat_boxes[part], image_of[part], len(boxes))
        pooled = heads.mask_roi_pool(found.pooled, per_image, found.shapes)
        chunks.append(_own_class_logits(heads, heads.mask_head(pooled), flat_labels[part]).sigmoid())
    if not chunks:
        side = 2 * heads.mask_roi_pool.output_size[0]
        chunks = [flat_boxes.new_zeros((0, side, side))]
    return list(torch.split(torch.cat(chunks), counts))


def _split_by_image(boxes: Tensor, image_of: list[int], images: int) -> list[Tensor]:
    sizes = [image_of.count(i) for i in range(images)]
    return list(torch.split(boxes, sizes))


def _own_class_logits(heads: RoIHeads, hidden: Tensor, labels: Tensor) -> Tensor:
    """N x M x M logits of channel `labels`: the last 1x1 convolution, one row of it a RoI."""
    predictor = cast(nn.Sequential, heads.mask_predictor)
    hidden = F.relu(cast(nn.ConvTranspose2d, predictor.conv5_mask)(hidden))
    last = cast(nn.Conv2d, predictor.mask_fcn_logits)
    weight, bias = last.weight[:, :, 0, 0], last.bias
    assert bias is not None
    logits = torch.einsum("nchw,nc->nhw", hidden.float(), weight[labels].float())
    return logits + bias[labels].float()[:, None, None]
