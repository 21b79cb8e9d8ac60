"""The mask branch for prompts: of no class, and told by clicks which pixels are meant.

It stands beside the class branch on the same mask head, so a box has its features once. Trained on boxes
around the true ones it outlines objects of classes that nobody taught (DeepMAC, Birodkar et al., 2021); the
clicks come as a map a RoI, as interactive networks take them a picture (RITM, Sofiiuk et al., 2021).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NAME = "prompt_predictor"
"""The branch's attribute of the network's `roi_heads`."""

WIDTH = 64
BUMP = 4.0
"""Logits that a click adds or takes away where it is, before anything is learned."""

CLICK_SPREAD = 1.5
"""Standard deviation of a click's bump, in cells of the map."""


class PromptPredictor(nn.Module):
    """Corrects the mask of whatever class a box is taken for, by the mask head's features and clicks.

    Untrained it leaves the mask as it is, but for a bump at each click.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.said = nn.Conv2d(3, WIDTH, 3, padding=1, bias=False)
        # Wide, so that a click is heard all over its part of the object.
        self.spread = nn.Conv2d(WIDTH, WIDTH, 3, padding=2, dilation=2)
        self.up = nn.ConvTranspose2d(WIDTH, WIDTH, 2, 2)
        self.change = nn.Conv2d(WIDTH, 1, 1, bias=False)
        self.at_clicks = nn.Conv2d(2, 1, 1, bias=False)
        with torch.no_grad():
            self.change.weight.zero_()
            self.at_clicks.weight.copy_(torch.tensor((BUMP, -BUMP))[None, :, None, None])

    def forward(self, hidden: Tensor, logits: Tensor, clicks: Tensor) -> Tensor:
        """N x 2M x 2M logits. hidden: N x C x M x M, of the mask head; logits: N x 2M x 2M, of the class
        branch; clicks: N x 2 x M x M, `click_map`."""
        mask = F.avg_pool2d(logits.sigmoid()[:, None], 2)
        both = F.relu(self.hidden(hidden) + self.said(torch.cat((mask.to(clicks), clicks), dim=1)))
        change: Tensor = self.change(F.relu(self.up(F.relu(self.spread(both)))))
        bumps = self.at_clicks(F.interpolate(clicks, scale_factor=2, mode="bilinear"))
        corrected: Tensor = logits + change[:, 0].float() + bumps[:, 0].float()
        return corrected


def prompt_predictor(heads: nn.Module) -> PromptPredictor | None:
    """The branch of a network's `roi_heads`; None where it has none."""
    found = getattr(heads, NAME, None)
    return found if isinstance(found, PromptPredictor) else None


def click_map(
    boxes_xyxy: Tensor, points: Sequence[Tensor], positive: Sequence[Tensor], side: int = 14
) -> Tensor:
    """N x 2 x side x side, a bump of height 1 at each click: first those on the object, then those off it.

    boxes_xyxy: N x 4. points: K x 2 a box, x and y in the boxes' frame; positive: K bool a box.
    """
    maps = boxes_xyxy.new_zeros((len(boxes_xyxy), 2, side, side))
    cells = torch.arange(side, device=maps.device, dtype=maps.dtype) + 0.5
    for own, box, clicks, good in zip(maps, boxes_xyxy, points, positive, strict=True):
        if not len(clicks):
            continue
        x, y = ((clicks - box[:2]) / (box[2:] - box[:2]).clamp(min=1e-6) * side).T[..., None, None]
        bumps = torch.exp(-((cells - x) ** 2 + (cells[:, None] - y) ** 2) / (2 * CLICK_SPREAD**2))
        for channel, rows in enumerate((good, ~good)):
            if rows.any():
                own[channel] = bumps[rows].amax(dim=0)
    return maps
