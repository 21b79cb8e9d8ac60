"""A prompt's masks at the grain of the picture: drawn to its edges, and right under every click.

A mask head says M x M probabilities, and a large object shows it. The colour-guided filter carries them to
the edges near by (He, Sun and Tang, "Guided Image Filtering", ECCV 2010); where a click contradicts them,
GrabCut decides anew, in that click's neighbourhood alone. numpy and OpenCV; no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.classical import Window, grabcut
from engine.document.mask import EMPTY, Mask
from engine.media.picture import Rgb
from engine.prediction import Prediction
from engine.prompt import Candidate, Click
from engine.refilter import masks

Grey = NDArray[np.float32]
"""H x W."""

COARSE = 1.5
"""Window pixels of a mask's cell from which on its outline is drawn to edges."""

_MOST_PIXELS = 35_000
"""Of what a mask fills, in the window in which this is done."""
_MARGIN = 0.15
"""Around it, shares of its sides: what a mask that fills its box reaches for. A frame is wide as it comes."""
_REACH, _FINE_REACH = 2.0, 1.0  # of the filter, cells; where the branch for prompts spoke, which is surer
_SMOOTH = 1e-3  # of the filter: the square of a contrast that is no edge, in parts of white
_NEIGHBOURHOOD = 0.1
"""Of a click: where it may change the mask; share of the window's longer side."""
_LEARNED_FROM, _DOT = 2.0, 0.15
"""The colours of object and ground around such clicks, and what is sure: neighbourhoods."""
_APART = 0.6  # of the way to a click that says the opposite
_ROUNDS = 2


def candidates_at_edges(
    answer: Prediction, picture: Rgb, clicks: Sequence[Click], mask_cutoff: float
) -> tuple[Candidate, ...]:
    """The detections that have a pixel, in their order. picture, clicks: see `masks_at_edges`."""
    found = []
    for row, mask in enumerate(masks_at_edges(answer, picture, clicks, mask_cutoff)):
        if not mask.is_empty:
            x0, y0, x1, y1 = (float(edge) for edge in answer.boxes_xyxy[row])
            name = answer.classes[int(answer.labels[row]) - 1]
            found.append(Candidate(name, float(answer.scores[row]), mask, (x0, y0, x1, y1)))
    return tuple(found)


def masks_at_edges(
    answer: Prediction, picture: Rgb, clicks: Sequence[Click], mask_cutoff: float
) -> list[Mask]:
    """A mask a detection, EMPTY where no pixel passes the cut-off.

    picture: H x W x 3 uint8 RGB, in the answer's size or smaller. clicks: image pixels; no mask holds a
    negative one, each holds every positive one.
    """
    plain = masks(answer, mask_cutoff)
    return [
        _mask_at_edges(answer, row, picture, clicks, mask_cutoff, mask or EMPTY)
        for row, mask in enumerate(plain)
    ]


def _mask_at_edges(
    answer: Prediction, row: int, picture: Rgb, clicks: Sequence[Click], cutoff: float, plain: Mask
) -> Mask:
    assert answer.mask_probs is not None
    x0, y0, x1, y1 = (float(edge) for edge in answer.frames[row])
    for click in clicks:
        if click.positive:
            x0, y0 = min(x0, click.x), min(y0, click.y)
            x1, y1 = max(x1, click.x + 1), max(y1, click.y + 1)
    wide, high = x1 - x0, y1 - y0
    margin = _MARGIN if answer.mask_frames is None else 0.0
    dx, dy = margin * wide + 2, margin * high + 2
    size, most = (answer.height, answer.width), round(_MOST_PIXELS * (1 + 2 * margin) ** 2)
    window = Window(picture, (x0 - dx, y0 - dy, x1 + dx, y1 + dy), size=size, most=most)
    if window.is_empty:
        return plain
    said = chances_in(answer, row, window)
    cell = max(wide, high) / answer.mask_probs.shape[-1] * window.scale
    is_coarse = cell >= COARSE
    if is_coarse:
        colours = (window.pixels / np.float32(255)).astype(np.float32)
        reach = _REACH if answer.mask_frames is None else _FINE_REACH
        said = _guided(colours, said, max(1, round(reach * cell)))
    is_object = said > cutoff
    points = [(*window.to_window(one.x, one.y), one.positive) for one in clicks]
    wrong = [bool(is_object[_place(x, y, said.shape)]) is not positive for x, y, positive in points]
    if any(wrong):
        decided = _decided_anew(window.pixels, is_object, points, wrong)
        said = np.where(decided == is_object, said, decided.astype(np.float32))
    return window.mask_of(said, cutoff) if is_coarse or any(wrong) else plain


def chances_in(answer: Prediction, row: int, window: Window) -> Grey:
    """A detection's probabilities at the window's pixels, 0 outside its frame."""
    assert answer.mask_probs is not None
    x0, y0, x1, y1 = (float(edge) for edge in answer.frames[row])
    cells = np.pad(answer.mask_probs[row], 1)
    side = answer.mask_probs.shape[-1]
    columns, rows = window.centres()
    across = ((columns - x0) / max(x1 - x0, 1e-6) * side + 0.5).astype(np.float32)
    down = ((rows - y0) / max(y1 - y0, 1e-6) * side + 0.5).astype(np.float32)
    grid_x, grid_y = np.meshgrid(across, down)
    found: Grey = cv2.remap(
        cells, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0.0,)
    ).astype(np.float32, copy=False)
    return found


def _guided(picture: Grey, said: Grey, radius: int) -> Grey:
    """The colour-guided filter. picture: H x W x 3, 0..1; said: H x W, 0..1; radius: pixels."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(of: Grey) -> Grey:
        return cv2.blur(of, size).astype(np.float32, copy=False)

    r, g, b = (one.astype(np.float32, copy=False) for one in cv2.split(picture))
    mr, mg, mb, level = mean(r), mean(g), mean(b), mean(said)
    tr, tg, tb = mean(r * said) - mr * level, mean(g * said) - mg * level, mean(b * said) - mb * level
    smooth = np.float32(_SMOOTH)
    rr, gg, bb = (
        mean(r * r) - mr * mr + smooth,
        mean(g * g) - mg * mg + smooth,
        mean(b * b) - mb * mb + smooth,
    )
    rg, rb, gb = mean(r * g) - mr * mg, mean(r * b) - mr * mb, mean(g * b) - mg * mb
    # The inverse of the symmetric 3 x 3 matrix of each pixel, by its cofactors.
    c00, c01, c02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c11, c12, c22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    whole = np.maximum(rr * c00 + rg * c01 + rb * c02, np.float32(1e-12))
    along_r = (c00 * tr + c01 * tg + c02 * tb) / whole
    along_g = (c01 * tr + c11 * tg + c12 * tb) / whole
    along_b = (c02 * tr + c12 * tg + c22 * tb) / whole
    offset = level - along_r * mr - along_g * mg - along_b * mb
    found: Grey = mean(along_r) * r + mean(along_g) * g + mean(along_b) * b + mean(offset)
    return found


def _decided_anew(
    pixels: Rgb,
    is_object: NDArray[np.bool_],
    points: Sequence[tuple[float, float, bool]],
    wrong: Sequence[bool],
) -> NDArray[np.bool_]:
    """What is an object, with the neighbourhoods of wrong clicks looked at again. points: window pixels."""
    reach = _NEIGHBOURHOOD * max(is_object.shape)
    around = np.array([point[:2] for point, is_wrong in zip(points, wrong, strict=True) if is_wrong])
    left, top = np.maximum(around.min(axis=0) - _LEARNED_FROM * reach, 0).astype(int).tolist()
    right, bottom = np.ceil(around.max(axis=0) + _LEARNED_FROM * reach).astype(int).tolist()
    part = np.s_[top : bottom + 1, left : right + 1]
    near = [
        (x - left, y - top, positive, is_wrong)
        for (x, y, positive), is_wrong in zip(points, wrong, strict=True)
        if left <= x <= right and top <= y <= bottom
    ]
    found = is_object.copy()
    found[part] = _cut_anew(pixels[part], is_object[part], near, reach)
    return found


def _cut_anew(
    pixels: Rgb,
    is_object: NDArray[np.bool_],
    points: Sequence[tuple[float, float, bool, bool]],
    reach: float,
) -> NDArray[np.bool_]:
    """As `_decided_anew`. points: x, y, whether they are positive, whether they are wrong."""
    said = np.where(is_object, cv2.GC_FGD, cv2.GC_BGD).astype(np.uint8)
    rows, columns = np.mgrid[: said.shape[0], : said.shape[1]] + 0.5
    far = [np.hypot(columns - x, rows - y) for x, y, *_ in points]
    for (x, y, positive, is_wrong), away in zip(points, far, strict=True):
        if is_wrong:
            others = [float(np.hypot(x - x2, y - y2)) for x2, y2, other, _ in points if other is not positive]
            said[away < min([reach, *(_APART * other for other in others)])] = (
                cv2.GC_PR_FGD if positive else cv2.GC_PR_BGD
            )
    dots = np.zeros(said.shape, np.bool_)
    for (x, y, positive, _), away in zip(points, far, strict=True):
        dot = away <= max(1.0, _DOT * reach)
        dot[_place(x, y, said.shape)] = True
        said[dot] = cv2.GC_FGD if positive else cv2.GC_BGD
        dots |= dot
    found = grabcut(pixels, said, _ROUNDS)
    found[dots] = said[dots] == cv2.GC_FGD
    return found


def _place(x: float, y: float, shape: tuple[int, ...]) -> tuple[int, int]:
    return min(max(int(y), 0), shape[0] - 1), min(max(int(x), 0), shape[1] - 1)
