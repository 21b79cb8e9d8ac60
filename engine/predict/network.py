"""The forward pass in stages over torchvision's modules: features, proposals, detections, masks.

The stages are apart so that a prompt can start from cached features and a batch can yield between
them. With the same caps the results are torchvision's own; what is saved is work whose result is
thrown away there: anchors are decoded after the top-k instead of before, and a mask's logits are
computed for its own class only.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops import boxes as box_ops

from engine.models.prompt_head import SIDE as PROMPT_SIDE
from engine.models.prompt_head import click_map, in_regions, prompt_head, regions_of

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]
"""Work that may be left alone after each step while something more urgent is done; returns its result."""


def at_once(steps: Steps[T]) -> T:
    """All steps, one after the other: their result."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


LEAST_SIDE = 1e-2
"""Of a detection's box, resized-image pixels: torchvision's."""

SHOWN = 0.2
"""Score of a detection from which its mask is worth being drawn finely."""

ROIS_AT_ONCE = 64
"""Mask head chunk: 64 RoIs of 256 x 28 x 28 float32 hold 51 MB."""

PIXELS_A_STEP, BOXES_A_STEP, ROIS_A_STEP = 12_500, 64, 16
"""What a step takes of a level of the pyramid, of the box head and of the mask head, on a CPU: a tenth of a
second or less where R50-FPN takes three a picture. Smaller steps cost more in all.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What the backbone says of a batch.

    levels: P2..P6 by torchvision's names "0".."3", "pool". pooled: the same, contiguous and float32, for
    RoIAlign, which would copy them anew at every call. padded: height and width of the batch. shapes:
    height and width of each resized picture inside it. prompt_maps: what the branch for prompts keeps of
    the body's maps, where it was asked to.
    """

    levels: dict[str, Tensor]
    pooled: dict[str, Tensor]
    padded: tuple[int, int]
    shapes: list[tuple[int, int]]
    prompt_maps: list[Tensor] = field(default_factory=list)

    @property
    def is_finite(self) -> list[bool]:
        """Whether an image's numbers are numbers: damaged weights or a narrow format can spoil them."""
        return cast("list[bool]", torch.isfinite(self.levels["pool"].flatten(1)).all(dim=1).tolist())


@dataclass(frozen=True, slots=True, eq=False)
class Sifted:
    """What each sieve left of one image's boxes, as rows of `boxes`.

    boxes: N x 4, resized-image pixels, clipped to the picture. scored: those with score enough; large: of
    them the ones that are not too small; apart: of them those that no better one suppressed, best first;
    kept: as many of them as are wanted.
    """

    boxes: Tensor
    scored: Tensor
    large: Tensor
    apart: Tensor
    kept: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FirstStage:
    """What the RPN says of one image.

    anchors: A x 4, resized-image pixels, the best of each level; levels: A, 0 is P2; objectness: A, 0..1.
    sifted: the boxes that they are moved to.
    """

    anchors: Tensor
    levels: Tensor
    objectness: Tensor
    sifted: Sifted

    @property
    def proposals(self) -> Tensor:
        """R x 4, resized-image pixels, best first."""
        return self.sifted.boxes[self.sifted.kept]


@dataclass(frozen=True, slots=True, eq=False)
class SecondStage:
    """What the box head says of one image's R proposals.

    chances: R x (1 + classes), each row sums to 1, background first. Boxes are numbered
    proposal * classes + class; labels: theirs, 1-based.
    """

    chances: Tensor
    labels: Tensor
    sifted: Sifted


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What is left of one image, best first: N boxes.

    boxes: N x 4, resized-image pixels. scores: N. labels: N, 1-based. probs: N x M x M mask probabilities,
    None for a network without masks; frames: N x 4, what they fill if not the boxes.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    probs: Tensor | None
    frames: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One way of a batch through the network, with what every stage said, an image each."""

    found: Features
    first: list[FirstStage]
    second: list[SecondStage]
    detections: list[Detections]


def run(
    network: FasterRCNN, batch: Tensor, shapes: list[tuple[int, int]], *, fine: bool = False
) -> Steps[Pass]:
    """All stages in their order. batch: N x 3 x H x W, normalised and padded. fine: see `finish`."""
    found = yield from features(network, batch, shapes, prompts=fine)
    yield
    first = yield from propose(network, found)
    yield
    second, detections = yield from finish(network, found, [one.proposals for one in first])
    return Pass(found, first, second, detections)


def finish(
    network: FasterRCNN, found: Features, proposals: list[Tensor]
) -> Steps[tuple[list[SecondStage], list[Detections]]]:
    """Stage two on proposals, R x 4 resized-image pixels an image: boxes and classes, then masks.

    Features that were kept for prompts give masks by their branch.
    """
    second = yield from detect(network, found, proposals)
    kept = [one.sifted.kept for one in second]
    boxes = [one.sifted.boxes[rows] for one, rows in zip(second, kept, strict=True)]
    scores = [one.chances[:, 1:].reshape(-1)[rows] for one, rows in zip(second, kept, strict=True)]
    labels = [one.labels[rows] for one, rows in zip(second, kept, strict=True)]
    drawn: list[tuple[Tensor | None, Tensor | None]] = [(None, None)] * len(boxes)
    if isinstance(network, MaskRCNN) and found.prompt_maps:
        for n, own in enumerate(zip(boxes, labels, scores, strict=True)):
            drawn[n] = yield from _drawn_finely(network, found, n, *own)
    elif isinstance(network, MaskRCNN):
        every = yield from masks_in_steps(network, found, boxes, labels)
        drawn = [(probs, None) for probs in every]
    together = zip(boxes, scores, labels, drawn, strict=True)
    return second, [Detections(b, s, named, *masks) for b, s, named, masks in together]


def features(
    network: FasterRCNN, batch: Tensor, shapes: list[tuple[int, int]], *, prompts: bool = False
) -> Steps[Features]:
    """Run backbone and FPN, a block at a step. batch: N x 3 x H x W, normalised and padded. prompts: keep
    what `prompt_masks` needs.
    """
    height, width = batch.shape[-2:]
    maps: list[Tensor] = []
    if isinstance(network.backbone, BackboneWithFPN):
        found = yield from _of_body(network.backbone.body, batch)
        levels = yield from _of_pyramid(network.backbone.fpn, found)
        if prompts and (head := prompt_head(network.roi_heads)) is not None:
            yield
            maps = head.look(list(found.values()))
    else:
        levels = network.backbone(batch)
    yield
    pooled = {name: _for_roi_align(level) for name, level in levels.items()}
    return Features(levels, pooled, (height, width), shapes, maps)


def _for_roi_align(level: Tensor) -> Tensor:
    """A level as contiguous float32."""
    images, channels, rows, columns = level.shape
    if images > 1 or level.is_contiguous():
        return level.float().contiguous()
    # Of channels_last. Transposing a matrix is what torch does in a quarter of the time.
    cells = level.permute(0, 2, 3, 1).reshape(rows * columns, channels)
    return cells.t().contiguous().view(1, channels, rows, columns).float()


def _of_body(body: nn.ModuleDict, batch: Tensor) -> Steps[dict[str, Tensor]]:
    """What torchvision's IntermediateLayerGetter gives, with a break after every block of a layer."""
    wanted = cast(dict[str, str], body.return_layers)
    found: dict[str, Tensor] = OrderedDict()
    for name, layer in body.items():
        for block in layer if isinstance(layer, nn.Sequential) else (layer,):
            batch = block(batch)
            yield
        if name in wanted:
            found[wanted[name]] = batch
    return found


def _of_pyramid(fpn: FeaturePyramidNetwork, found: dict[str, Tensor]) -> Steps[dict[str, Tensor]]:
    """What the FPN gives, with a break after every level and inside the large ones."""
    maps, levels = list(found.values()), list[Tensor]()
    above: Tensor | None = None
    for place in reversed(range(len(maps))):
        level = fpn.get_result_from_inner_blocks(maps[place], place)
        if above is not None:
            level = level + F.interpolate(above, size=level.shape[-2:], mode="nearest")
        above = level
        levels.insert(0, (yield from _by_rows(fpn.layer_blocks[place], level)))
    names = list(found)
    if fpn.extra_blocks is not None:
        levels, names = fpn.extra_blocks(levels, maps, names)
    return OrderedDict(zip(names, levels, strict=True))


def _by_rows(block: nn.Module, level: Tensor) -> Steps[Tensor]:
    """What a 3 x 3 convolution, and what goes on with each pixel of it, makes of a level.

    On a CPU the largest levels, whose convolutions take longer than all else, are done some rows at a step.
    """
    rows, columns = level.shape[-2:]
    steps = 1 if level.is_cuda else max(1, min(rows, round(rows * columns * len(level) / PIXELS_A_STEP)))
    if steps == 1:
        whole: Tensor = block(level)
        yield
        return whole
    parts, edges = [], [step * rows // steps for step in range(steps + 1)]
    for top, end in itertools.pairwise(edges):
        before = max(top - 1, 0)
        part: Tensor = block(level[..., before : end + 1, :])
        parts.append(part[..., top - before : end - before, :])
        yield
    return torch.cat(parts, dim=-2)


def sift(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    *,
    shape: tuple[int, int],
    above: float | None,
    min_size: float,
    iou: float,
    most: int,
) -> Sifted:
    """Non-maximum suppression with all that goes before and after it, as both stages do it.

    boxes: N x 4, resized-image pixels; shape: the picture's height and width. groups: N, boxes of different
    ones never suppress each other. above: the score to be over; None for any. most: how many may be left.
    """
    boxes = box_ops.clip_boxes_to_image(boxes, shape)
    scored = torch.arange(len(boxes), device=boxes.device)
    if above is not None:
        scored = scored[scores > above]
    large = scored[box_ops.remove_small_boxes(boxes[scored], min_size)]
    apart = large[box_ops.batched_nms(boxes[large], scores[large], groups[large], iou)]
    return Sifted(boxes, scored, large, apart, apart[:most])


def propose(network: FasterRCNN, found: Features) -> Steps[list[FirstStage]]:
    """Stage one, the RPN, an image each; a level at a step."""
    rpn = cast(RegionProposalNetwork, network.rpn)
    head = cast(RPNHead, rpn.head)
    logits, deltas = [], []
    for level in found.levels.values():
        for block in head.conv:
            level = yield from _by_rows(block, level)  # noqa: PLW2901
        logits.append(head.cls_logits(level))
        deltas.append(head.bbox_pred(level))
    ranked = [
        _best_of_level(rpn, level, level_logits.float(), level_deltas.float(), found.padded)
        for level, (level_logits, level_deltas) in enumerate(zip(logits, deltas, strict=True))
    ]
    scores, anchors, boxes = (torch.cat(parts, dim=1) for parts in zip(*ranked, strict=True))
    counts = torch.tensor([best.shape[1] for best, _, _ in ranked])
    level = torch.repeat_interleave(torch.arange(len(ranked)), counts).to(scores)
    scores = scores.sigmoid()
    stages = []
    for n, shape in enumerate(found.shapes):
        sifted = sift(
            boxes[n], scores[n], level, shape=shape, above=None, min_size=rpn.min_size,
            iou=rpn.nms_thresh, most=rpn.post_nms_top_n(),
        )  # fmt: skip
        stages.append(FirstStage(anchors[n], level, scores[n], sifted))
    return stages


def _best_of_level(
    rpn: RegionProposalNetwork, level: int, logits: Tensor, deltas: Tensor, padded: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The best anchors of one level: their logits (N x K), themselves and their boxes (N x K x 4)."""
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
    return best, anchors, boxes


def detect(network: FasterRCNN, found: Features, proposals: list[Tensor]) -> Steps[list[SecondStage]]:
    """Stage two, the box head: classes and refined boxes of the proposals, an image each; some at a step.

    As torchvision's `postprocess_detections`, with every (proposal, class) pair a box of its own.
    """
    heads = cast(RoIHeads, network.roi_heads)
    said = []
    for _, some in _some_at_once(proposals, BOXES_A_STEP, on_gpu=sum(map(len, proposals))):
        pooled = heads.box_roi_pool(found.pooled, some, found.shapes)
        said.append(heads.box_predictor(heads.box_head(pooled)))
        yield
    logits, deltas = (torch.cat(parts) for parts in zip(*said, strict=True))
    chances = F.softmax(logits.float(), dim=-1)
    boxes = heads.box_coder.decode(deltas.float(), proposals)[:, 1:]  # without the background's
    counts = [len(one) for one in proposals]
    stages = []
    for image_chances, image_boxes, shape in zip(
        torch.split(chances, counts), torch.split(boxes, counts), found.shapes, strict=True
    ):
        scores = image_chances[:, 1:]
        labels = torch.arange(1, scores.shape[1] + 1, device=scores.device).expand_as(scores).reshape(-1)
        sifted = sift(
            image_boxes.reshape(-1, 4), scores.reshape(-1), labels, shape=shape, above=heads.score_thresh,
            min_size=LEAST_SIDE, iou=heads.nms_thresh, most=heads.detections_per_img,
        )  # fmt: skip
        stages.append(SecondStage(image_chances, labels, sifted))
    return stages


def mask_probabilities(
    network: FasterRCNN, found: Features, boxes: list[Tensor], labels: list[Tensor]
) -> list[Tensor]:
    """The mask head on any boxes: N x M x M probabilities an image, for each box's own class.

    boxes: N x 4, resized-image pixels, an image each; labels: N, 1-based.
    """
    return at_once(masks_in_steps(network, found, boxes, labels))


def masks_in_steps(
    network: FasterRCNN, found: Features, boxes: list[Tensor], labels: list[Tensor]
) -> Steps[list[Tensor]]:
    """As `mask_probabilities`, some boxes at a step."""
    heads = cast(RoIHeads, network.roi_heads)
    flat_labels = torch.cat(labels)
    chunks = []
    for part, some in _some_at_once(boxes, ROIS_A_STEP, on_gpu=ROIS_AT_ONCE):
        pooled = heads.mask_roi_pool(found.pooled, some, found.shapes)
        chunks.append(_own_class_logits(heads, heads.mask_head(pooled), flat_labels[part]).sigmoid())
        yield
    return list(torch.split(torch.cat(chunks), [len(own) for own in boxes]))


def prompt_masks(
    network: FasterRCNN,
    found: Features,
    boxes: Tensor,
    labels: Tensor,
    points: Tensor,
    positive: Tensor,
) -> tuple[Tensor, Tensor]:
    """The masks that are meant by boxes and clicks on one image: N x M x M probabilities, and the frames
    that they are said in, N x 4.

    boxes: N x 4, resized-image pixels; labels: N, 1-based, what they are taken for. points: K x 2 in the
    same pixels, for all boxes; positive: K bool, whether a click is on the object. A network without the
    branch, or features that were not kept for it, give the class's masks in the boxes.
    """
    if not found.prompt_maps:
        return mask_probabilities(network, found, [boxes], [labels])[0], boxes
    frames = regions_of(boxes)
    chunks = [boxes.new_zeros((0, PROMPT_SIDE, PROMPT_SIDE))]
    for start in range(0, len(boxes), ROIS_AT_ONCE):
        part = slice(start, start + ROIS_AT_ONCE)
        every = len(boxes[part])
        clicks = click_map(frames[part], [points] * every, [positive] * every)
        chunks.append(_in_regions(network, found, 0, boxes[part], labels[part], clicks))
    return torch.cat(chunks), frames


def _drawn_finely(
    network: FasterRCNN, found: Features, image: int, boxes: Tensor, labels: Tensor, scores: Tensor
) -> Steps[tuple[Tensor, Tensor]]:
    """The masks of one image's detections and their frames; the branch draws those that may be shown."""
    drawn = [boxes.new_zeros((0, PROMPT_SIDE, PROMPT_SIDE))]
    shown = int((scores >= SHOWN).sum())  # they come best first
    for start in range(0, shown, ROIS_A_STEP):
        part = slice(start, min(start + ROIS_A_STEP, shown))
        unclicked = boxes.new_zeros((len(boxes[part]), 2, PROMPT_SIDE, PROMPT_SIDE))
        drawn.append(_in_regions(network, found, image, boxes[part], labels[part], unclicked))
        yield
    apart = [boxes.new_zeros((0, 4))] * len(found.shapes)
    nothing = [labels[:0]] * len(found.shapes)
    apart[image], nothing[image] = boxes[shown:], labels[shown:]
    rest = (yield from masks_in_steps(network, found, apart, nothing))[image]
    drawn.append(in_regions(rest.clamp(1e-4, 1 - 1e-4).logit())[0].sigmoid())
    return torch.cat(drawn), regions_of(boxes)


def _in_regions(
    network: FasterRCNN, found: Features, image: int, boxes: Tensor, labels: Tensor, clicks: Tensor
) -> Tensor:
    """What the branch for prompts says around boxes of an image. clicks: `click_map` of their regions."""
    heads = cast(RoIHeads, network.roi_heads)
    head = prompt_head(heads)
    assert head is not None
    apart = [boxes[:0]] * len(found.shapes)
    apart[image] = boxes
    hidden = heads.mask_head(heads.mask_roi_pool(found.pooled, apart, found.shapes))
    said, inside = in_regions(_own_class_logits(heads, hidden, labels))
    seen = head.pool([level[image] for level in found.prompt_maps], regions_of(boxes), found.padded)
    drawn: Tensor = head(seen, said, inside, clicks).sigmoid()
    return drawn


def _some_at_once(boxes: list[Tensor], on_cpu: int, *, on_gpu: int) -> Iterator[tuple[slice, list[Tensor]]]:
    """Boxes of several images (N x 4 each), at most so many at a time: which of all they are, and they
    themselves, an image each. Once where there are none.
    """
    every = torch.cat(boxes)
    image_of = torch.repeat_interleave(torch.tensor([len(own) for own in boxes])).tolist()
    most = max(1, on_gpu if every.is_cuda else on_cpu)
    for start in range(0, max(1, len(every)), most):
        part = slice(start, start + most)
        counts = [image_of[part].count(n) for n in range(len(boxes))]
        yield part, list(torch.split(every[part], counts))


def _own_class_logits(heads: RoIHeads, hidden: Tensor, labels: Tensor) -> Tensor:
    """N x M x M logits of channel `labels`: the last 1x1 convolution, one row of it a RoI."""
    predictor = cast(nn.Sequential, heads.mask_predictor)
    hidden = F.relu(cast(nn.ConvTranspose2d, predictor.conv5_mask)(hidden))
    last = cast(nn.Conv2d, predictor.mask_fcn_logits)
    weight, bias = last.weight[:, :, 0, 0], last.bias
    assert bias is not None
    logits = torch.einsum("nchw,nc->nhw", hidden.float(), weight[labels].float())
    return logits + bias[labels].float()[:, None, None]
