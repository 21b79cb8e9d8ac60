"""The five losses of Mask R-CNN over torchvision's modules, made for few and small objects alike.

The RPN's and the box head's losses are torchvision's own functions; what differs is how much reaches
them (see `Recipe`), that mask targets come from crops, and that ignored pixels take no part.
Papers: Faster R-CNN (Ren et al., 2015), Mask R-CNN (He et al., 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, concat_box_prediction_layers
from torchvision.ops import clip_boxes_to_image

from engine.models.prompt_head import SIDE, PromptHead, Seen, click_map, in_regions, prompt_head, regions_of
from engine.train.recipe import Recipe
from engine.train.sample import Sample, ignored_pixels
from engine.train.targets import mask_targets

MOST_CLICKS = 3
MISTAKEN = 0.25
"""How often an object is taken for one of another class while prompts are learned."""

INSIDE = 0.1
"""How often a click falls on the object at random, against where the mask is wrong: the first one does."""

OVERLAP_WEIGHT = 0.5
"""Of the overlap in the loss of prompts, beside the pixels'."""

LEFT_OUT = -1
"""torchvision's mark for a box that no loss counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is true of one picture of a batch, on the network's device, in the picture's pixels."""

    sample: Sample
    boxes: Tensor
    labels: Tensor
    ignored: NDArray[np.int32] | None

    @classmethod
    def of(cls, sample: Sample, device: torch.device) -> Truth:
        """The truth of a sample: boxes N x 4 float32, labels N int64."""
        boxes = torch.from_numpy(sample.boxes_xyxy).to(device)
        return cls(sample, boxes, torch.from_numpy(sample.labels).to(device), ignored_pixels(sample))


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The boxes of one picture that the second stage learns from.

    boxes: R x 4; labels: R, 0 is background; of: R, the truth each was matched to.
    """

    boxes: Tensor
    labels: Tensor
    of: Tensor

    def first(self, count: int) -> Chosen:
        """At most that many of them."""
        return Chosen(self.boxes[:count], self.labels[:count], self.of[:count])


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
        body, features = _of_backbone(network, batch)
        scored = rpn.head(list(features.values()))
    features = {name: level.float() for name, level in features.items()}
    proposals, losses = _rpn_losses(rpn, ImageList(batch, shapes), features, scored, truths, recipe)
    chosen = [_choose(heads, *pair, recipe) for pair in zip(proposals, truths, strict=True)]
    losses |= _box_losses(heads, features, shapes, chosen, truths, half)
    if heads.has_mask():
        outlined = [_with_masks(*pair, recipe) for pair in zip(chosen, truths, strict=True)]
        logits = _mask_logits(heads, features, shapes, outlined, half)
        losses["mask"] = _mask_loss(heads, logits, outlined, truths)
        if (head := prompt_head(heads)) is not None:
            few = torch.cat([torch.arange(len(one.boxes)) < recipe.prompt_rois for one in outlined])
            outlined = [one.first(recipe.prompt_rois) for one in outlined]
            maps = [level.detach() for level in body]
            padded = batch.shape[-2], batch.shape[-1]
            losses["prompt"] = _prompt_loss(head, maps, padded, logits.detach()[few], outlined, truths, half)
    return losses


def _of_backbone(network: FasterRCNN, batch: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The body's maps, finest first, and what the pyramid makes of them."""
    assert isinstance(network.backbone, BackboneWithFPN)
    body = network.backbone.body(batch)
    return list(body.values()), network.backbone.fpn(body)


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
            label[(label == 0) & _is_ignored(boxes, truth, recipe)] = LEFT_OUT
        wanted = rpn.box_coder.encode(matched, anchors)
    score, box = rpn.compute_loss(objectness, moves, labels, wanted)
    return proposals, {"objectness": score, "rpn_box": box}


@torch.no_grad()
def _choose(heads: RoIHeads, proposals: Tensor, truth: Truth, recipe: Recipe) -> Chosen:
    boxes = torch.cat((proposals, truth.boxes, _near(truth, recipe)))
    (of,), (labels,) = heads.assign_targets_to_proposals([boxes], [truth.boxes], [truth.labels])
    labels[(labels == 0) & _is_ignored(boxes, truth, recipe)] = LEFT_OUT
    (kept,) = heads.subsample([labels])
    return Chosen(boxes[kept], labels[kept], of[kept])


def _near(truth: Truth, recipe: Recipe) -> Tensor:
    """Boxes around the true ones, moved and stretched at random: the RPN's own are not near any yet.

    Until it has learned, two or three boxes a picture would be all that the second stage sees of objects.
    """
    count = len(truth.boxes)
    copies = min(recipe.near_truth, recipe.most_near_truth // max(count, 1))
    boxes = truth.boxes.repeat(copies, 1)
    sides = boxes[:, 2:] - boxes[:, :2]
    moved = boxes + torch.cat((sides, sides), dim=1) * (torch.rand_like(boxes) - 0.5) * 2 * recipe.near_by
    height, width = truth.sample.shape
    clipped: Tensor = clip_boxes_to_image(moved, (height, width))
    return clipped


def _is_ignored(boxes: Tensor, truth: Truth, recipe: Recipe) -> Tensor:
    """N bool: boxes of which ignored pixels fill at least the recipe's share."""
    if truth.ignored is None:
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    height, width = truth.sample.shape
    x0, y0, x1, y1 = boxes.detach().round().long().cpu().T.numpy()
    x0, x1 = x0.clip(0, width), x1.clip(0, width)
    y0, y1 = y0.clip(0, height), y1.clip(0, height)
    sums = truth.ignored
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    area = np.maximum((x1 - x0) * (y1 - y0), 1)
    return torch.from_numpy(inside >= recipe.ignored_share * area).to(boxes.device)


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
    side = 2 * heads.mask_roi_pool.output_size[0]
    wanted = _truth_in([one.boxes for one in outlined], outlined, truths, side).to(logits.device)
    own = logits[torch.arange(len(logits)), torch.cat([one.labels for one in outlined])].float()
    return _of_pixels(own, wanted)


def _truth_in(
    frames: Sequence[Tensor], outlined: Sequence[Chosen], truths: Sequence[Truth], side: int
) -> Tensor:
    """R x side x side, what is true in frames (R x 4 a picture) around the boxes."""
    targets = []
    for own, one, truth in zip(frames, outlined, truths, strict=True):
        crops = [crop for i in one.of.tolist() if (crop := truth.sample.crops[i]) is not None]
        targets.append(mask_targets(crops, own.cpu(), side, truth.sample.shape))
    return torch.cat(targets)


def _of_pixels(logits: Tensor, wanted: Tensor) -> Tensor:
    if not len(logits):
        return logits.sum() * 0
    return F.binary_cross_entropy_with_logits(logits, wanted)


def _of_overlap(logits: Tensor, wanted: Tensor) -> Tensor:
    """How far the masks are from meeting the truth, 0..1 (Dice; Milletari et al., 2016)."""
    found = logits.sigmoid()
    met = (found * wanted).sum(dim=(1, 2))
    return (1 - (2 * met + 1) / (found.sum(dim=(1, 2)) + wanted.sum(dim=(1, 2)) + 1)).mean()


def _taken_for(labels: Tensor, count: int) -> Tensor:
    """The classes, some of them others: what nobody taught is taken for something else."""
    others = torch.randint(1, count, labels.shape, device=labels.device)
    return torch.where(torch.rand(labels.shape, device=labels.device) < MISTAKEN, others, labels)


def _prompt_loss(
    head: PromptHead,
    body: Sequence[Tensor],
    padded: tuple[int, int],
    logits: Tensor,
    outlined: Sequence[Chosen],
    truths: Sequence[Truth],
    half: torch.autocast,
) -> Tensor:
    """The branch for prompts, which learns from the others and teaches them nothing: AP stays what it is.

    body: the backbone's maps of a batch of that height and width; logits: of boxes beside true ones, as a
    person's are. Each gets up to MOST_CLICKS clicks where the mask is wrong, as a person would click.
    """
    taken = _taken_for(torch.cat([one.labels for one in outlined]), logits.shape[1])
    said, inside = in_regions(logits[torch.arange(len(logits)), taken].float())
    frames = [regions_of(one.boxes) for one in outlined]
    wanted = _truth_in(frames, outlined, truths, SIDE).to(said.device)
    if not len(wanted):
        return sum((one.sum() * 0 for one in head.parameters()), said.sum() * 0)
    with half:
        maps = head.look(body)
        seen = [head.pool([m[n] for m in maps], own, padded) for n, own in enumerate(frames)]
        both = Seen(torch.cat([one.coarse for one in seen]), torch.cat([one.fine for one in seen]))
        with torch.no_grad():
            unheard = head(both, said, inside, said.new_zeros((len(said), 2, SIDE, SIDE)))
        found = head(both, said, inside, _simulated_clicks(unheard.sigmoid(), wanted))
    return _of_pixels(found, wanted) + OVERLAP_WEIGHT * _of_overlap(found, wanted)


def _simulated_clicks(found: Tensor, wanted: Tensor) -> Tensor:
    """N x 2 x SIDE x SIDE. found, wanted: N x SIDE x SIDE, what is said without clicks and what is true."""
    cells = wanted.shape[-1]
    weights = ((found - wanted).abs() + INSIDE * wanted).flatten(1) + 1e-6
    points, positive = [], []
    for row, own in zip(weights, wanted.flatten(1), strict=True):
        count = int(torch.randint(0, MOST_CLICKS + 1, ()).item())
        at = torch.multinomial(row, max(count, 1))[:count]
        points.append((torch.stack((at % cells, at // cells), dim=1) + 0.5) / cells)
        positive.append(own[at] > 0.5)
    unit = wanted.new_tensor((0.0, 0.0, 1.0, 1.0)).expand(len(wanted), 4)
    return click_map(unit, points, positive)
