"""How the branch for prompts is taught: with boxes and clicks as a person makes them.

It learns beside the rest, which it does not change, and at the end of a run alone: what the network says of a
picture is then the last word, is computed once and kept. Clicks come one after the other, each where the mask
that the last one left is wrong (RITM, Sofiiuk et al., 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.roi_heads import RoIHeads

from engine.models.prompt_head import SIDE, PromptHead, Seen, click_map, in_regions, prompt_head, regions_of
from engine.predict.preprocess import to_batch
from engine.train.recipe import Recipe
from engine.train.sample import Sample
from engine.train.start import RGB
from engine.train.targets import mask_targets
from engine.train.truth import Truth, is_ignored, near

KEPT_BYTES = 1 << 30
"""Of looks at once."""

USES = 8
"""Of a look, before the next one is computed: another picture, or the same in another size and light."""

MOST_CLICKS = 3

CLICKED = 0.9
"""How often an object gets the next click of its step: not all have the same number."""

IN_THE_MIDDLE = 0.5
"""How often a click falls on the middle of what is wrong, against anywhere in it, rather in the middle."""

MISTAKEN = 0.25
"""How often an object is taken for one of another class: what nobody taught is taken for something."""

OVERLAP_WEIGHT = 0.5
"""Of the overlap in the loss, beside the pixels'."""

_LEAST_WRONG = 3
"""Cells, below which nobody would click."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a network says of one training picture.

    body: the backbone's maps, finest first, c x h x w; levels: the pyramid's, 1 x c x h x w; padded: height
    and width of the batch that they are of. truth: of the picture, whose pixels are not kept.
    """

    body: tuple[Tensor, ...]
    levels: Mapping[str, Tensor]
    padded: tuple[int, int]
    truth: Truth

    @classmethod
    def of(
        cls, body: Sequence[Tensor], levels: Mapping[str, Tensor], row: int, batch: Tensor, truth: Truth
    ) -> Look:
        """Of one picture of a batch: nothing that is learned from it reaches what it was made by."""
        # The cells' channels together, as a region's features are read.
        maps = (one.detach()[row].permute(1, 2, 0).contiguous().permute(2, 0, 1) for one in body)
        own = {name: level.detach()[row : row + 1] for name, level in levels.items()}
        return cls(tuple(maps), own, (batch.shape[-2], batch.shape[-1]), truth)

    @property
    def nbytes(self) -> int:
        """Of all maps."""
        return sum(one.nbytes for one in (*self.body, *self.levels.values()))

    def to(self, device: torch.device | str) -> Look:
        """The same on another device."""
        truth = self.truth
        return Look(
            tuple(one.to(device) for one in self.body),
            {name: level.to(device) for name, level in self.levels.items()},
            self.padded,
            replace(truth, boxes=truth.boxes.to(device), labels=truth.labels.to(device)),
        )


@torch.no_grad()
def look_at(
    network: FasterRCNN, sample: Sample, *, mean: RGB, std: RGB, device: torch.device, bf16: bool
) -> Look:
    """What a network says of a picture. bf16: run it under autocast, and keep its maps so."""
    batch = to_batch([sample.image], [sample.shape], mean=mean, std=std, device=device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        body, levels = of_backbone(network, batch)
    no_pixels = np.broadcast_to(np.uint8(0), sample.image.shape)
    return Look.of(body, levels, 0, batch, Truth.of(replace(sample, image=no_pixels), device))


def of_backbone(network: FasterRCNN, batch: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The body's maps, finest first, and what the pyramid makes of them."""
    assert isinstance(network.backbone, BackboneWithFPN)
    body = network.backbone.body(batch)
    return list(body.values()), network.backbone.fpn(body)


class Looks:
    """The looks of a run's steps: as many pictures as there is room for are kept, and each used some times.

    look: at picture `index` as the generator's chance has it, an index and a chance at a time. count: of
    pictures; batch: of them a step. Raises what `look` raises.
    """

    def __init__(
        self,
        look: Callable[[int, np.random.Generator], Look],
        count: int,
        batch: int,
        *,
        seed: int,
        max_bytes: int = KEPT_BYTES,
    ) -> None:
        self._look, self._count, self._seed = look, count, seed
        self._kept: dict[int, Look] = {}
        self._block = 0
        self.batch = self.pool = min(batch, count)
        room = max_bytes // max(1, self._at(0, 0).nbytes)
        self.pool = max(self.batch, min(count, room) // self.batch * self.batch)

    def of(self, step: int, places: Iterable[int]) -> list[Look]:
        """The looks at these places of a step's batch, in main memory; the same whoever asks when."""
        round_, at = divmod(step, self.pool // self.batch)
        block = round_ // USES
        if block != self._block:
            self._kept.clear()
            self._block = block
        order = np.random.default_rng([self._seed, 1, round_]).permutation(self.pool)
        return [self._at(block, int(order[at * self.batch + place])) for place in places]

    def _at(self, block: int, place: int) -> Look:
        if place not in self._kept:
            epoch, index = divmod(block * self.pool + place, self._count)
            pictures = np.random.default_rng([self._seed, 2, epoch]).permutation(self._count)
            chance = np.random.default_rng([self._seed, 3, block, place])
            self._kept[place] = self._look(int(pictures[index]), chance).to("cpu")
        return self._kept[place]


def prompt_loss(
    network: FasterRCNN, looks: Sequence[Look], recipe: Recipe, *, bf16: bool = False
) -> dict[str, Tensor]:
    """The loss of the branch for prompts, "prompt", on boxes around true objects and on clicks.

    bf16: run layers under autocast. The loss is fp32.
    """
    heads = cast(RoIHeads, network.roi_heads)
    head = prompt_head(heads)
    assert head is not None
    half = torch.autocast(looks[0].body[0].device.type, torch.bfloat16, enabled=bf16)
    most = math.ceil(recipe.prompt_rois / len(looks))
    drawn = [(look, *_by_hand(look.truth, most, recipe)) for look in looks]
    drawn = [one for one in drawn if one[2]]
    if not drawn:
        return {"prompt": torch.stack([one.sum() * 0 for one in head.parameters()]).sum()}
    said, inside = (
        torch.cat(parts) for parts in zip(*[_said(heads, *one, half) for one in drawn], strict=True)
    )
    wanted = torch.cat([_wanted(*one) for one in drawn]).to(said.device)
    with half:
        seen = _seen(head, drawn)
        clicks = _clicked(head, Seen(seen.coarse.detach(), seen.fine.detach()), said, inside, wanted)
        found = head(seen, said, inside, clicks)
    pixels = F.binary_cross_entropy_with_logits(found, wanted)
    return {"prompt": pixels + OVERLAP_WEIGHT * _of_overlap(found, wanted)}


def _by_hand(truth: Truth, most: int, recipe: Recipe) -> tuple[Tensor, list[int]]:
    """Boxes (R x 4) around at most so many of the objects with a mask, and which objects these are."""
    outlined = [n for n, crop in enumerate(truth.sample.crops) if crop is not None]
    some = [outlined[n] for n in torch.randperm(len(outlined))[:most].tolist()]
    boxes = near(truth.boxes[some], truth.sample.shape, recipe.near_by)
    is_there = (boxes[:, 2:] - boxes[:, :2] >= 1).all(dim=1) & ~is_ignored(boxes, truth, recipe)
    return boxes[is_there], [n for n, kept in zip(some, is_there.tolist(), strict=True) if kept]


@torch.no_grad()
def _said(
    heads: RoIHeads, look: Look, boxes: Tensor, of: Sequence[int], half: torch.autocast
) -> tuple[Tensor, Tensor]:
    """What the class branch says of the boxes, as `in_regions` puts it."""
    levels = {name: level.float() for name, level in look.levels.items()}
    pooled = heads.mask_roi_pool(levels, [boxes], [look.truth.sample.shape])
    with half:
        logits: Tensor = heads.mask_predictor(heads.mask_head(pooled))
    taken = _taken_for(look.truth.labels[list(of)], logits.shape[1])
    return in_regions(logits[torch.arange(len(logits)), taken].float())


def _taken_for(labels: Tensor, count: int) -> Tensor:
    """The classes, some of them others."""
    others = torch.randint(1, count, labels.shape, device=labels.device)
    return torch.where(torch.rand(labels.shape, device=labels.device) < MISTAKEN, others, labels)


def _wanted(look: Look, boxes: Tensor, of: Sequence[int]) -> Tensor:
    """R x SIDE x SIDE, what is true in the boxes' regions."""
    sample = look.truth.sample
    crops = [crop for n in of if (crop := sample.crops[n]) is not None]
    return mask_targets(crops, regions_of(boxes).cpu(), SIDE, sample.shape)


def _seen(head: PromptHead, drawn: Sequence[tuple[Look, Tensor, Sequence[int]]]) -> Seen:
    parts = []
    for look, boxes, _ in drawn:
        maps = head.look([one[None] for one in look.body])
        parts.append(head.pool([one[0] for one in maps], regions_of(boxes), look.padded))
    return Seen(torch.cat([one.coarse for one in parts]), torch.cat([one.fine for one in parts]))


def _of_overlap(logits: Tensor, wanted: Tensor) -> Tensor:
    """How far the masks are from meeting the truth, 0..1 (Dice; Milletari et al., 2016)."""
    found = logits.sigmoid()
    met = (found * wanted).sum(dim=(1, 2))
    return (1 - (2 * met + 1) / (found.sum(dim=(1, 2)) + wanted.sum(dim=(1, 2)) + 1)).mean()


@torch.no_grad()
def _clicked(head: PromptHead, seen: Seen, said: Tensor, inside: Tensor, wanted: Tensor) -> Tensor:
    """N x 2 x SIDE x SIDE: up to MOST_CLICKS clicks an object, each on what was wrong after the last one."""
    points = [said.new_zeros((0, 2)) for _ in said]
    positive = [torch.zeros(0, dtype=torch.bool, device=said.device) for _ in said]
    unit = said.new_tensor((0.0, 0.0, 1.0, 1.0)).expand(len(said), 4)
    clicks = click_map(unit, points, positive)
    is_object = wanted.cpu().numpy() > 0.5
    for _ in range(int(torch.randint(0, MOST_CLICKS + 1, ()).item())):
        found = head(seen, said, inside, clicks).cpu().numpy() > 0
        for row, (own, true) in enumerate(zip(found, is_object, strict=True)):
            if torch.rand(()) < CLICKED and (at := where_wrong(own, true)) is not None:
                points[row] = torch.cat((points[row], said.new_tensor([at]) / SIDE))
                there = said.new_tensor([bool(true[int(at[1]), int(at[0])])]).bool()
                positive[row] = torch.cat((positive[row], there))
        clicks = click_map(unit, points, positive)
    return clicks


def where_wrong(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> tuple[float, float] | None:
    """A click (x, y) in the largest part in which a mask is wrong, all H x W; None where hardly any is."""
    depth = depth_of_error(found, true, least=_LEAST_WRONG)
    if depth is None:
        return None
    weights = torch.from_numpy(np.ascontiguousarray(depth)).flatten() ** 2
    at = weights.argmax() if torch.rand(()) < IN_THE_MIDDLE else torch.multinomial(weights, 1)
    row, column = divmod(int(at.item()), true.shape[1])
    return column + 0.5, row + 0.5


def depth_of_error(
    found: NDArray[np.bool_], true: NDArray[np.bool_], *, least: int = 1
) -> NDArray[np.float32] | None:
    """How deep each pixel lies in the largest part in which a mask is wrong, pixels; all H x W.

    0 outside that part; None where no part has `least` pixels.
    """
    largest, depth = least - 1, None
    for wrong in (true & ~found, found & ~true):
        count, parts, stats, _ = cv2.connectedComponentsWithStats(wrong.view(np.uint8), connectivity=8)
        sizes = stats[1:, cv2.CC_STAT_AREA]
        if count > 1 and sizes.max() > largest:
            largest = int(sizes.max())
            part = np.pad((parts == 1 + int(sizes.argmax())).astype(np.uint8), 1)
            depth = np.asarray(cv2.distanceTransform(part, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
    return depth
