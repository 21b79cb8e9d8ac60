"""The mask branch for prompts: of no class, finer than the class branch, told by clicks what is meant.

It goes on from what the class branch says of a box and looks at the backbone's own maps again, a margin
around the box included: a box drawn by hand cuts off what it should hold. Trained on boxes around the true
ones it outlines objects of classes that nobody taught (DeepMAC, Birodkar et al., 2021); the clicks come as a
map a region, as interactive networks take them a picture (RITM, Sofiiuk et al., 2021); the edges come from
the finest map, in four times the cells of the class branch (PointRend, Kirillov et al., 2020, reads it too).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

NAME = "prompt_branch"
"""The branch's attribute of the network's `roi_heads`."""

BEFORE = ("roi_heads.prompt_predictor.", "roi_heads.prompt_head.")
"""What weights of earlier branches are called: a model that has them is read without."""

SIDE = 56
"""Cells of a region's mask."""

MARGIN = 0.2
"""Of a box's sides, on each side: what a region holds around it."""

OUTSIDE = -2.0
"""Logit that the class branch is taken to say outside its box."""

BUMP = 4.0
"""Logits that a click adds or takes away where it is, before anything is learned."""

CLICK_SPREAD = 3.0
"""Standard deviation of a click's bump, in cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the backbone says of R regions. coarse: R x C x SIDE / 2 x SIDE / 2, of all levels; fine: R x c x
    SIDE x SIDE, of the finest one.
    """

    coarse: Tensor
    fine: Tensor


class PromptHead(nn.Module):
    """Corrects the mask of whatever class a box is taken for; untrained it but adds a bump at each click.

    body_channels: of the backbone's maps, finest first. width: channels of the cells at SIDE / 2, twice those
    of the cells at SIDE.
    """

    def __init__(self, body_channels: Sequence[int], width: int) -> None:
        super().__init__()
        fine = width // 2
        self.levels = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in body_channels)
        self.finest = nn.Conv2d(body_channels[0], fine, 1)
        self.enter = nn.Conv2d(width * len(body_channels) + 4, width, 1)
        # Wide, so that a click is heard all over its part of the object.
        self.around = nn.ModuleList(nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in (1, 2, 4))
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in range(4))
        self.up = nn.ConvTranspose2d(width, fine, 2, 2)
        self.edges = nn.Conv2d(2 * fine + 4, fine, 3, padding=1)
        self.smooth = nn.Conv2d(fine, fine, 3, padding=1)
        self.change = nn.Conv2d(fine, 1, 1, bias=False)
        self.at_clicks = nn.Conv2d(2, 1, 1, bias=False)
        with torch.no_grad():
            self.change.weight.zero_()
            self.at_clicks.weight.copy_(torch.tensor((BUMP, -BUMP))[None, :, None, None])

    def look(self, body: Sequence[Tensor]) -> list[Tensor]:
        """What is kept of a batch's maps (finest first) until somebody asks: a fifth of them or less."""
        maps = [self.finest(body[0]), *(level(found) for level, found in zip(self.levels, body, strict=True))]
        return [one.contiguous(memory_format=torch.channels_last) for one in maps]

    def pool(self, maps: Sequence[Tensor], regions: Tensor, padded: tuple[int, int]) -> Seen:
        """RoIAlign. maps: one picture's of `look`, c x h x w each. regions: R x 4, pixels of the padded
        picture of that height and width.
        """
        fine = [_resampled(maps[0], region, padded, SIDE) for region in regions.tolist()]
        coarse = [
            torch.cat([_resampled(level, region, padded, SIDE // 2) for level in maps[1:]])
            for region in regions.tolist()
        ]
        if not fine:
            half, channels = SIDE // 2, sum(len(level) for level in maps[1:])
            nothing = maps[0].new_zeros((0, channels, half, half))
            return Seen(nothing, maps[0].new_zeros((0, len(maps[0]), SIDE, SIDE)))
        return Seen(torch.stack(coarse), torch.stack(fine))

    def forward(self, seen: Seen, said: Tensor, inside: Tensor, clicks: Tensor) -> Tensor:
        """R x SIDE x SIDE logits. said: R x SIDE x SIDE logits of the class branch, `in_regions`; inside:
        the same shape, 1 in the box; clicks: R x 2 x SIDE x SIDE, `click_map`.
        """
        told = torch.cat((said.sigmoid()[:, None], inside[:, None], clicks), dim=1).to(seen.fine)
        found = F.relu(self.norms[0](self.enter(torch.cat((seen.coarse, F.avg_pool2d(told, 2)), dim=1))))
        for layer, norm in zip(self.around, list(self.norms)[1:], strict=True):
            found = found + F.relu(norm(layer(found)))
        found = F.relu(self.edges(torch.cat((F.relu(self.up(found)), seen.fine, told), dim=1)))
        change: Tensor = self.change(F.relu(self.smooth(found)))[:, 0].float()
        bumps: Tensor = self.at_clicks(clicks)[:, 0].float()
        return said + change + bumps


def prompt_head(heads: nn.Module) -> PromptHead | None:
    """The branch of a network's `roi_heads`; None where it has none."""
    found = getattr(heads, NAME, None)
    return found if isinstance(found, PromptHead) else None


def regions_of(boxes_xyxy: Tensor) -> Tensor:
    """Boxes (N x 4) with MARGIN around them."""
    margins = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) * MARGIN
    return torch.cat((boxes_xyxy[:, :2] - margins, boxes_xyxy[:, 2:] + margins), dim=1)


def in_regions(logits: Tensor) -> tuple[Tensor, Tensor]:
    """What is said of boxes (N x M x M logits), in their regions, and which cells lie in the box: N x SIDE x
    SIDE both.
    """
    side = logits.shape[-1]
    wide = 1 + 2 * MARGIN
    cells = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE * wide - MARGIN  # 0..1 in the box
    within = (cells > 0) & (cells < 1)
    inside = torch.from_numpy(np.outer(within, within)).to(logits)
    taps = torch.from_numpy(_taps(0, side, cells * side)).to(logits)
    moved = taps @ logits @ taps.T
    return torch.where(inside > 0, moved, OUTSIDE), inside.expand_as(moved)


def click_map(frames_xyxy: Tensor, points: Sequence[Tensor], positive: Sequence[Tensor]) -> Tensor:
    """N x 2 x SIDE x SIDE, a bump of height 1 at each click: first those on the object, then those off it.

    frames_xyxy: N x 4. points: K x 2 a frame, x and y in the frames' pixels; positive: K bool a frame.
    """
    maps = frames_xyxy.new_zeros((len(frames_xyxy), 2, SIDE, SIDE))
    cells = torch.arange(SIDE, device=maps.device, dtype=maps.dtype) + 0.5
    for own, frame, clicks, good in zip(maps, frames_xyxy, points, positive, strict=True):
        if not len(clicks):
            continue
        x, y = ((clicks - frame[:2]) / (frame[2:] - frame[:2]).clamp(min=1e-6) * SIDE).T[..., None, None]
        bumps = torch.exp(-((cells - x) ** 2 + (cells[:, None] - y) ** 2) / (2 * CLICK_SPREAD**2))
        for channel, rows in enumerate((good, ~good)):
            if rows.any():
                own[channel] = bumps[rows].amax(dim=0)
    return maps


def _resampled(level: Tensor, region: Sequence[float], padded: tuple[int, int], side: int) -> Tensor:
    """RoIAlign of one region (x0, y0, x1, y1) on a map, c x h x w: c x side x side.

    Bilinear samples averaged in a cell are a product of what is done along either axis: two small matrix
    products, with gradients as quick, where torchvision's adds them up one by one.
    """
    _, height, width = level.shape
    down, first_row = _along(height, region[1] * height / padded[0], region[3] * height / padded[0], side)
    across, first_column = _along(width, region[0] * width / padded[1], region[2] * width / padded[1], side)
    # A cell's channels lie together, so that the first product is one of large matrices, without a copy.
    part = level.permute(1, 2, 0)[first_row : first_row + down.shape[1]]
    part = part[:, first_column : first_column + across.shape[1]]
    rows: Tensor = (down.to(part) @ part.flatten(1)).view(side, *part.shape[1:])
    found: Tensor = across.to(part) @ rows
    return found.permute(2, 0, 1)


def _along(count: int, begin: float, end: float, side: int) -> tuple[Tensor, int]:
    """Weights (side x taps) of neighbouring cells for the means of `side` equal parts of begin..end, which
    are in cells; and the first cell they are for. Beyond the edges the outermost cell goes on.
    """
    a_part = max(1, min(8, round((end - begin) / side) + 1))
    first = int(max(0, min(count - 1, begin - 1)))
    last = int(max(first + 1, min(count, end + 2)))
    at = begin + (np.arange(side * a_part, dtype=np.float32) + 0.5) / (side * a_part) * (end - begin)
    taps = _taps(first, last, at).reshape(side, a_part, last - first)
    return torch.from_numpy(taps.mean(axis=1, dtype=np.float32)), first


def _taps(first: int, last: int, at: NDArray[np.floating]) -> NDArray[np.float32]:
    """len(at) x (last - first) weights of linear interpolation between cells; cell n's centre is at n + 0.5.

    In numpy: tensors of a few numbers cost more to make than to use.
    """
    centres = np.arange(first, last, dtype=np.float32) + 0.5
    away = np.abs(centres - np.clip(at, centres[0], centres[-1])[:, None])
    found: NDArray[np.float32] = np.maximum(1 - away, 0).astype(np.float32, copy=False)
    return found
