"""The five losses of Mask R-CNN over torchvision's modules, made for few and small objects alike.

The RPN's and the box head's losses are torchvision's own functions; what differs is how much reaches
them (see `Recipe`), that mask targets come from crops, and that ignored pixels take no part.
Papers: Faster R-CNN (Ren et al., 2015), Mask R-CNN (He et al., 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, concat_box_prediction_layers

from engine.models.prompt_head import prompt_head
from engine.train.prompts import Look, of_backbone, prompt_loss
from engine.train.recipe import Recipe
from engine.train.targets import mask_targets
from engine.train.truth import Truth, is_ignored, near

LEFT_OUT = -1
"""torchvision's mark for a box that no loss counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The boxes of one picture that the second stage learns from.

    boxes: R x 4; labels: R, 0 is background; of: R, the truth each was matched to.
    """

    boxes: Tensor
    labels: Tensor
    of: Tensor


def prepare_for_training(network: FasterRCNN, recipe: Recipe) -> None:
    """Put the recipe's numbers into torchvision's modules and the network into training mode."""
    rpn, heads = cast(RegionProposalNetwork, network.rpn), cast(RoIHeads, network.roi_heads)
    rpn._pre_nms_top_n["training"] = recipe.proposals_before_nms
    rpn._post_nms_top_n["training"] = recipe.proposals
    rpn.fg_bg_sampler = BalancedPositiveNegativeSampler(recipe.anchors, 0.5)
    heads.fg_bg_sampler = BalancedPositiveNegativeSampler(recipe.rois, recipe.positive_share)
    network.train()


def detection_losses(
    network: FasterRCNN, batch: Tensor, truths: Sequence[Truth], recipe: Recipe, *, bf16: bool = False
) -> dict[str, Tensor]:
    """The losses of one batch by name, fp32; their sum is what training lowers.

    batch: N x 3 x H x W, normalised and padded, a picture for each of `truths`. bf16: run the layers with
    weights under autocast. Boxes, RoIAlign and the losses stay fp32: an edge at 400 has a step of two pixels
    in bf16, and RoIAlign's gradient would be cast level by level.
    """
    shapes = [truth.sample.shape for truth in truths]
    half = torch.autocast(batch.device.type, torch.bfloat16, enabled=bf16)
    rpn, heads = cast(RegionProposalNetwork, network.rpn), cast(RoIHeads, network.roi_heads)
    with half:
        body, features = of_backbone(network, batch)
        scored = rpn.head(list(features.values()))
    features = {name: level.float() for name, level in features.items()}
    proposals, losses = _rpn_losses(rpn, ImageList(batch, shapes), features, scored, truths, recipe)
    chosen = [_choose(heads, *pair, recipe) for pair in zip(proposals, truths, strict=True)]
    losses |= _box_losses(heads, features, shapes, chosen, truths, half)
    if heads.has_mask():
        outlined = [_with_masks(*pair, recipe) for pair in zip(chosen, truths, strict=True)]
        logits = _mask_logits(heads, features, shapes, outlined, half)
        losses["mask"] = _mask_loss(heads, logits, outlined, truths)
    if prompt_head(heads) is not None:
        looks = [Look.of(body, features, n, batch, truth) for n, truth in enumerate(truths)]
        losses |= prompt_loss(network, looks, recipe, bf16=bf16)
    return losses


def _rpn_losses(
    rpn: RegionProposalNetwork,
    images: ImageList,
    features: dict[str, Tensor],
    scored: tuple[list[Tensor], list[Tensor]],
    truths: Sequence[Truth],
    recipe: Recipe,
) -> tuple[list[Tensor], dict[str, Tensor]]:
    levels = list(features.values())
    by_level, moves_by_level = ([level.float() for level in part] for part in scored)
    anchors = rpn.anchor_generator(images, levels)
    counts = [level[0].numel() for level in by_level]
    objectness, moves = concat_box_prediction_layers(by_level, moves_by_level)
    with torch.no_grad():
        decoded = rpn.box_coder.decode(moves, anchors).view(len(truths), -1, 4)
        proposals, _ = rpn.filter_proposals(decoded, objectness, images.image_sizes, counts)
        labels, matched = rpn.assign_targets_to_anchors(anchors, [{"boxes": t.boxes} for t in truths])
        for label, boxes, truth in zip(labels, anchors, truths, strict=True):
            label[(label == 0) & is_ignored(boxes, truth, recipe)] = LEFT_OUT
        wanted = rpn.box_coder.encode(matched, anchors)
    score, box = rpn.compute_loss(objectness, moves, labels, wanted)
    return proposals, {"objectness": score, "rpn_box": box}


@torch.no_grad()
def _choose(heads: RoIHeads, proposals: Tensor, truth: Truth, recipe: Recipe) -> Chosen:
    boxes = torch.cat((proposals, truth.boxes, _near(truth, recipe)))
    (of,), (labels,) = heads.assign_targets_to_proposals([boxes], [truth.boxes], [truth.labels])
    labels[(labels == 0) & is_ignored(boxes, truth, recipe)] = LEFT_OUT
    (kept,) = heads.subsample([labels])
    return Chosen(boxes[kept], labels[kept], of[kept])


def _near(truth: Truth, recipe: Recipe) -> Tensor:
    """Boxes around the true ones, moved and stretched at random: the RPN's own are not near any yet.

    Until it has learned, two or three boxes a picture would be all that the second stage sees of objects.
    """
    count = len(truth.boxes)
    copies = min(recipe.near_truth, recipe.most_near_truth // max(count, 1))
    return near(truth.boxes.repeat(copies, 1), truth.sample.shape, recipe.near_by)


def _box_losses(
    heads: RoIHeads,
    features: dict[str, Tensor],
    shapes: list[tuple[int, int]],
    chosen: Sequence[Chosen],
    truths: Sequence[Truth],
    half: torch.autocast,
) -> dict[str, Tensor]:
    boxes, labels = [c.boxes for c in chosen], [c.labels for c in chosen]
    goals = [_matched(truth.boxes, c) for truth, c in zip(truths, chosen, strict=True)]
    pooled = heads.box_roi_pool(features, boxes, shapes)
    with half:
        logits, moves = heads.box_predictor(heads.box_head(pooled))
    wanted = list(heads.box_coder.encode(goals, boxes))
    classes, box = fastrcnn_loss(logits.float(), moves.float(), labels, wanted)
    return {"classes": classes, "box": box}


def _matched(boxes: Tensor, chosen: Chosen) -> Tensor:
    # A picture without objects has nothing to match; its boxes are all background and their goal unused.
    return boxes[chosen.of] if len(boxes) else chosen.boxes


def _with_masks(chosen: Chosen, truth: Truth, recipe: Recipe) -> Chosen:
    """Some of the boxes of objects, leaving out those that are known by their box alone."""
    crops = truth.sample.crops
    rows = torch.where(chosen.labels > 0)[0].cpu()
    rows = rows[torch.tensor([crops[i] is not None for i in chosen.of[rows].tolist()], dtype=torch.bool)]
    rows = rows[torch.randperm(len(rows))[: recipe.mask_rois]]
    return Chosen(chosen.boxes[rows], chosen.labels[rows], chosen.of[rows])


def _mask_logits(
    heads: RoIHeads,
    features: dict[str, Tensor],
    shapes: list[tuple[int, int]],
    outlined: Sequence[Chosen],
    half: torch.autocast,
) -> Tensor:
    """Of all pictures' boxes and every class: R x classes + 1 x M x M."""
    pooled = heads.mask_roi_pool(features, [one.boxes for one in outlined], shapes)
    with half:
        logits: Tensor = heads.mask_predictor(heads.mask_head(pooled))
    return logits


def _mask_loss(
    heads: RoIHeads, logits: Tensor, outlined: Sequence[Chosen], truths: Sequence[Truth]
) -> Tensor:
    if not len(logits):
        return logits.sum() * 0
    side = 2 * heads.mask_roi_pool.output_size[0]
    targets = []
    for one, truth in zip(outlined, truths, strict=True):
        crops = [crop for i in one.of.tolist() if (crop := truth.sample.crops[i]) is not None]
        targets.append(mask_targets(crops, one.boxes.cpu(), side, truth.sample.shape))
    own = logits[torch.arange(len(logits)), torch.cat([one.labels for one in outlined])].float()
    return F.binary_cross_entropy_with_logits(own, torch.cat(targets).to(own.device))
