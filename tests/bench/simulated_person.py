"""What prompts are worth: a person simulated with known truth, against GrabCut and against polygons.

    python -m tests.bench.simulated_person val.json --model FILE [--images 25] [--out figures.json]

For every instance of held-out pictures: a box with each edge off by up to 10 % of its side, and the IoU of
the mask that comes of it; clicks on the middle of the largest error until the IoU is 0.90 (NoC@90, at most
20); the corners that a polygon needs for as much. GrabCut gets the same boxes. The ceiling is the truth
itself sent through M x M cells and back. --out writes the means, and beside them a plot of IoU by clicks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from engine.classical import cut_out
from engine.device import number_format, use_threads
from engine.document.boolean import iou
from engine.document.mask import EMPTY, Mask
from engine.document.polygons import from_polygons
from engine.document.records import Box
from engine.edges import candidates_at_edges
from engine.formats.labelled import LabelledImage
from engine.media.image import read_rgb
from engine.media.picture import Rgb
from engine.models.store import default_store
from engine.models.version import load_network
from engine.predict.predictor import Held, Predictor
from engine.predict.prompts import Prompter
from engine.prediction import Prediction
from engine.prompt import Candidate, Click
from engine.refilter import masks
from engine.train.boundary import boundary
from engine.train.prompts import depth_of_error
from engine.train.sources import load_labelled

ENOUGH, MOST_CLICKS, JITTER = 0.90, 20, 0.10
SHOWN_CLICKS = tuple(range(11))

Figures = dict[str, list[float]]


def predictor_of(model: str) -> Predictor:
    """A model of the store, or of a file, ready to run."""
    version = default_store().resolve(model)
    return Predictor(load_network(version), version.card, number_format=number_format("cpu"))


def instances_of(
    images: Sequence[LabelledImage], most: int | None = None
) -> Iterator[tuple[LabelledImage, Rgb, list[Mask]]]:
    """Each picture with its true masks of 16 pixels and more; `most`: at most so many, drawn at random."""
    draw = np.random.default_rng(0)
    for image in images:
        pixels = read_rgb(image.path, image.frame)
        true = [one.mask for one in image.instances if one.mask is not None and one.mask.area >= 16]
        yield image, pixels, [true[n] for n in sorted(draw.permutation(len(true))[:most])]


def jittered(mask: Mask, draw: np.random.Generator, height: int, width: int) -> Box:
    """The mask's box as a hand draws it."""
    x0, y0, x1, y1 = mask.box_xyxy
    off = draw.uniform(-JITTER, JITTER, 4) * (x1 - x0, y1 - y0, x1 - x0, y1 - y0)
    x0, y0, x1, y1 = np.array((x0, y0, x1, y1)) + off
    return max(x0, 0.0), max(y0, 0.0), min(max(x1, x0 + 1), float(width)), min(max(y1, y0 + 1), float(height))


def largest_error(found: Mask, true: Mask, height: int, width: int) -> Click:
    """A click on the middle of the largest part in which a mask is wrong."""
    is_ = true.to_full(height, width)
    depth = depth_of_error(found.to_full(height, width), is_)
    assert depth is not None, "nobody clicks on what is right"
    row, column = divmod(int(depth.argmax()), width)
    return Click(column + 0.5, row + 0.5, bool(is_[row, column]))


def clicked(
    answer: Callable[[Sequence[Click]], Sequence[Candidate]], true: Mask, found: Mask, height: int, width: int
) -> tuple[list[float], list[float]]:
    """IoU of the best candidate after no click, one, two and so on, until it is enough or MOST_CLICKS; and
    seconds a click. found: the mask to begin with.
    """
    clicks: list[Click] = []
    overlaps, seconds = [iou(found, true)], []
    while len(clicks) < MOST_CLICKS and overlaps[-1] < ENOUGH:
        clicks.append(largest_error(found, true, height, width))
        began = time.perf_counter()
        candidates = answer(tuple(clicks))
        seconds.append(time.perf_counter() - began)
        found = candidates[0].mask if candidates else EMPTY
        overlaps.append(iou(found, true))
    return overlaps, seconds


def corners_needed(true: Mask, height: int, width: int) -> int:
    """Corners of the polygons, one a part, that meet the truth by ENOUGH, as few as simplifying finds."""
    contours, _ = cv2.findContours(
        true.to_full(height, width).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    fewest = sum(len(one) for one in contours)
    for tolerance in np.geomspace(0.5, max(true.bitmap.shape), 30):
        rings = [cv2.approxPolyDP(one, float(tolerance), True)[:, 0] + 0.5 for one in contours]
        rings = [ring.astype(np.float64) for ring in rings if len(ring) >= 3]
        if not rings or iou(from_polygons(rings, height=height, width=width), true) < ENOUGH:
            break
        fewest = min(fewest, sum(len(ring) for ring in rings))
    return fewest


def through_cells(true: Mask, side: int, height: int, width: int) -> Mask:
    """The truth as a mask head of side x side cells could say it at best, and made a mask again."""
    cells = cv2.resize(true.bitmap.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    box = np.array([true.box_xyxy], np.float32)
    said = Prediction(
        width,
        height,
        ("",),
        box,
        np.ones(1, np.float32),
        np.ones(1, np.int64),
        cells[None].astype(np.float32),
    )
    (back,) = masks(said)
    assert back is not None
    return back


def boundary_iou(found: Mask, true: Mask, height: int, width: int) -> float:
    """Of the pixels near the edges alone (Cheng et al., 2021)."""
    return iou(boundary(found, height=height, width=width), boundary(true, height=height, width=width))


def measure(
    images: Sequence[LabelledImage],
    prompter: Prompter | None,
    predictor: Predictor | None,
    *,
    seed: int,
    most: int | None,
) -> Figures:
    """All figures, a number an instance each, of `most` a picture; without a model those that need none."""
    figures: Figures = {}

    def note(name: str, value: float) -> None:
        figures.setdefault(name, []).append(float(value))

    draw = np.random.default_rng(seed)
    for image, pixels, every in instances_of(images, most):
        height, width = pixels.shape[:2]
        held = predictor.hold(pixels) if predictor is not None else None
        for true in every:
            box = jittered(true, draw, height, width)
            if prompter is None or held is None:
                _without_model(note, true, pixels, box)
            else:
                _with_model(note, prompter, held, true, box)
        print(image.path.name, {name: round(statistics.fmean(all_), 3) for name, all_ in figures.items()})
    return figures


def _without_model(note: Callable[[str, float], None], true: Mask, pixels: Rgb, box: Box) -> None:
    height, width = pixels.shape[:2]
    began = time.perf_counter()
    cut = cut_out(pixels, box)
    note("grabcut_seconds", time.perf_counter() - began)
    note("grabcut_iou", iou(cut, true))
    note("polygon_corners", corners_needed(true, height, width))
    large = "large" if true.area >= 96**2 else "small"
    for side in (28, 56):
        back = through_cells(true, side, height, width)
        note(f"ceiling_{side}_{large}_iou", iou(back, true))
        note(f"ceiling_{side}_{large}_boundary", boundary_iou(back, true, height, width))


def _with_model(
    note: Callable[[str, float], None], prompter: Prompter, held: Held, true: Mask, box: Box
) -> None:
    began = time.perf_counter()
    answer = prompter.predict_box(held, box)
    found = candidates_at_edges(answer, held.picture, (), 0.5)
    note("box_seconds", time.perf_counter() - began)
    mask = found[0].mask if found else EMPTY
    (plain,) = masks(answer)
    for name, one in (("box", mask), ("box_without_edges", plain or EMPTY)):
        note(f"{name}_iou", iou(one, true))
        note(f"{name}_boundary", boundary_iou(one, true, held.height, held.width))

    seen: list[Candidate] = []

    def from_clicks(clicks: Sequence[Click]) -> Sequence[Candidate]:
        if not seen:  # from the second click on it is about what is seen, as in the window
            answer = prompter.predict_points(held, clicks)
            seen.extend(candidates_at_edges(answer, held.picture, clicks, 0.5)[:1])
            return seen
        refined = prompter.refine(held, seen[0].box_xyxy, clicks)
        return candidates_at_edges(refined, held.picture, clicks, 0.5)

    def from_box(clicks: Sequence[Click]) -> Sequence[Candidate]:
        refined = prompter.refine(held, box, clicks)
        return candidates_at_edges(refined, held.picture, clicks, 0.5)

    for name, ask, start in (("click", from_clicks, EMPTY), ("box_click", from_box, mask)):
        overlaps, seconds = clicked(ask, true, start, held.height, held.width)
        is_enough = overlaps[-1] >= ENOUGH
        note(f"{name}_noc", len(overlaps) - 1 if is_enough else MOST_CLICKS)
        note(f"{name}_iou", overlaps[-1])
        note(f"{name}_failed", not is_enough)
        note(f"{name}_seconds", statistics.fmean(seconds) if seconds else 0.0)
        for count in SHOWN_CLICKS:  # who has enough stops
            note(f"{name}_{count}_iou", overlaps[min(count, len(overlaps) - 1)])


def draw_curves(means: Mapping[str, Mapping[str, float]], file: Path) -> None:
    """IoU by clicks, a line a model: clicks alone, and after a box."""
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    for name, own in means.items():
        for kind, style in (("click", "--"), ("box_click", "-")):
            found = [own[key] for n in SHOWN_CLICKS if (key := f"{kind}_{n}_iou") in own]
            if found:
                label = f"{name}, {'box, then clicks' if kind == 'box_click' else 'clicks alone'}"
                axes.plot(SHOWN_CLICKS, found, style, marker="o", markersize=3, label=label)
    axes.axhline(ENOUGH, color="grey", linewidth=0.8)
    axes.set(xlabel="clicks", ylabel="mean IoU", ylim=(0, 1))
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="COCO JSON with the truth")
    parser.add_argument("--model", action="append", default=[], help="a name or a file, several times")
    parser.add_argument("--pictures", type=Path, help="where they are, if not beside the JSON")
    parser.add_argument("--images", type=int, default=25)
    parser.add_argument("--objects", type=int, help="at most so many a picture, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    use_threads(window=False)
    whole = load_labelled(options.data, options.pictures)
    images = whole.images[: options.images]
    kind = {"seed": options.seed, "most": options.objects}
    results = {"no model": measure(images, None, None, **kind)}
    for name in options.model:
        predictor = predictor_of(name)
        results[predictor.card.name] = measure(images, Prompter(predictor), predictor, **kind)
    means = {
        name: {what: round(statistics.fmean(all_), 4) for what, all_ in figures.items()}
        for name, figures in results.items()
    }
    print(json.dumps(means, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(means, indent=1))
        draw_curves(means, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
