"""The report of one measurement: what the model finds, what it takes for what, and where it is worst."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.confusion import THRESHOLD, Confusion
from engine.train.evaluate import Evaluation
from engine.train.report.figures import Measurement, figures
from engine.train.report.folder import PAGE, filled
from engine.train.report.html import Html, el, page, section, table, tiles
from engine.train.report.parts import (
    MOST_PICTURES,
    curves_of,
    data_in_words,
    foot,
    key,
    matrix_of,
    own_scores,
    picture_of,
    write_texts,
)
from engine.train.report.pictures import Painter, side_by_side
from engine.train.report.words import advice, count, headline, image_name, mistakes, number, percent

KINDS = {"mask": "Mask", "boundary": "Boundary", "box": "Box"}


def write_report(
    folder: Path, truth: LabelledSet, measured: Measurement, threshold: float = THRESHOLD
) -> Path:
    """Write `report.html`, `metrics.json` and PNG pictures into a folder; returns where the page is.

    The pictures are the curves, the confusion matrix and up to 8 images, the worst first. An image is as
    bad as its own AP is low; without objects, as detections on it are many. Detections below the
    threshold count in AP alone. Other files in the folder stay. Raises DataError where it cannot be
    written and MediaError for an image that cannot be read; then the folder is as it was.
    """
    ranked = worst_first(truth, measured.evaluation, threshold)
    content = figures(truth, measured, threshold)
    content["worst_images"] = [one.image.path.name for one in ranked]
    with filled(folder) as unfinished:
        parts = _parts(unfinished, truth, measured, ranked, threshold)
        title = f"{measured.name} on {count(len(truth.images), 'image')}"
        write_texts(unfinished, page(title, *parts, foot=foot(truth, measured.version)), content)
    return folder / PAGE


@dataclass(frozen=True, slots=True)
class ImageResult:
    """How one image went. place: in the set. ap: its own, None where nothing is true."""

    place: int
    image: LabelledImage
    ap: float | None
    counts: Confusion


def worst_first(
    truth: LabelledSet, evaluation: Evaluation, threshold: float = THRESHOLD
) -> list[ImageResult]:
    """Every image; of two with the same AP, the one with more mistakes first."""
    results = [
        ImageResult(place, image, ap, evaluation.matches.of_image(place, threshold))
        for place, (image, ap) in enumerate(zip(truth.images, own_scores(truth, evaluation), strict=True))
    ]
    return sorted(results, key=_goodness)


def _goodness(result: ImageResult) -> tuple[float, int]:
    counts = result.counts
    wrong = counts.missed + counts.extra + counts.confused
    return 1 / (1 + counts.found) if result.ap is None else result.ap, -wrong


def _parts(
    folder: Path, truth: LabelledSet, measured: Measurement, ranked: list[ImageResult], threshold: float
) -> Iterator[Html]:
    evaluation = measured.evaluation
    counts = evaluation.matches.at(threshold)
    yield el("h1", measured.name)
    yield el("p", f"Measured on {data_in_words(truth)}.", class_="soft")
    told = (el("b", part) if stressed else part for part, stressed in headline(counts))
    yield el("p", *told, class_="headline")
    yield el(
        "p",
        f"At a score threshold of {threshold:.2f}. An object is found when the model gives it the right "
        "class and covers it well: half of what the two cover together is in both (IoU 0.5).",
        class_="soft",
    )
    if advice_ := advice(evaluation.matches, counts):
        yield el("p", advice_)
    yield tiles(_tiles(evaluation))
    if len(truth.classes) > 1 and evaluation.scores.per_class:
        said = "Found: of the objects, those found as what they are. Right: of what was found as the class."
        yield section("By class", _by_class(evaluation, counts), el("p", said, class_="soft"))
    if truth.instance_count:
        yield section("By size", _by_size(evaluation))
        yield _curves(folder, truth, evaluation)
    yield _confusion(folder, counts)
    yield _worst(folder, truth, evaluation, ranked, threshold)


def _tiles(evaluation: Evaluation) -> Iterator[tuple[str, str, str]]:
    metrics, main = evaluation.scores.metrics, evaluation.scores.main
    name = KINDS[main]
    yield f"{name} AP", number(metrics.get(f"{main}_ap")), "average over demands from IoU 0.50 to 0.95"
    yield f"{name} AP50", number(metrics.get(f"{main}_ap50")), "where half the area in common will do"
    yield f"{name} AP75", number(metrics.get(f"{main}_ap75")), "where three quarters are asked for"
    if main == "mask":
        yield "Boundary AP", number(metrics.get("boundary_ap")), "how well the outlines agree"
        yield "Box AP", number(metrics.get("box_ap")), "how well the boxes agree"


def _kinds(evaluation: Evaluation) -> list[str]:
    return [kind for kind in KINDS if kind in evaluation.scores.curves]


def _by_class(evaluation: Evaluation, counts: Confusion) -> Html:
    main, scores = evaluation.scores.main, evaluation.scores
    others = [kind for kind in _kinds(evaluation) if kind != main]
    name = KINDS[main]
    rows = []
    for cls, values in scores.per_class.items():
        recall, precision = counts.of_class(cls)
        aps = [values.get(f"{main}_ap{at}") for at in ("", "50", "75")]
        aps += [values.get(f"{kind}_ap") for kind in others]
        shares = (percent(recall), percent(precision))
        rows.append((cls, f"{scores.instances[cls]:,}", *shares, *map(number, aps)))
    titles = ("Class", "Objects", "Found", "Right", f"{name} AP", "AP50", "AP75")
    return table((*titles, *(f"{KINDS[kind]} AP" for kind in others)), rows)


def _by_size(evaluation: Evaluation) -> Html:
    scores = evaluation.scores
    limits = {"small": "below 32 × 32 pixels", "medium": "up to 96 × 96", "large": "above"}
    rows = [
        (
            f"{size.capitalize()}, {limit}",
            f"{scores.sizes[size]:,}",
            *(number(scores.metrics.get(f"{kind}_ap_{size}")) for kind in _kinds(evaluation)),
        )
        for size, limit in limits.items()
    ]
    return table(("Size", "Objects", *(f"{KINDS[kind]} AP" for kind in _kinds(evaluation))), rows)


def _curves(folder: Path, truth: LabelledSet, evaluation: Evaluation) -> Html:
    from engine.train.report.plots import class_lines

    main = evaluation.scores.main
    return section(
        "Precision and recall",
        curves_of(folder, class_lines(truth.class_names, evaluation.scores.curves[main])),
        el(
            "p",
            "A lower score threshold goes right along a curve: more objects are found, and more of what is "
            f"found is wrong. AP is the area below it. By {main}.",
            class_="soft",
        ),
    )


def _confusion(folder: Path, counts: Confusion) -> Html:
    from engine.train.report.plots import MOST_SHOWN

    many = len(counts.classes) > MOST_SHOWN
    few = f" The picture shows the {MOST_SHOWN} classes with the most mistakes." if many else ""
    names = (*counts.classes, "nothing")
    rows = [
        (name, *(_heat(int(row[n]), float(shares[n]), right=k == n) for n in range(len(row))))
        for k, (name, row, shares) in enumerate(zip(names, counts.table, counts.shares, strict=True))
    ]
    return section(
        "What it takes for what",
        el("p", f"At the threshold {counts.threshold:.2f}: {mistakes(counts)}.{few}"),
        matrix_of(folder, counts),
        el(
            "details",
            el("summary", "As a table: a row for what is true, a column for what was found"),
            table(("truly", *counts.classes, "missed"), rows),
        ),
    )


def _heat(cell: int, share: float, *, right: bool) -> Html:
    color = "right" if right else "wrong"
    return el(
        "td", f"{cell:,}" if cell else "", style=f"background: rgba(var(--{color}-heat), {share / 2:.2f})"
    )


def _worst(
    folder: Path, truth: LabelledSet, evaluation: Evaluation, ranked: list[ImageResult], threshold: float
) -> Html:
    figures_ = []
    for position, result in enumerate(ranked[:MOST_PICTURES], start=1):
        matches = evaluation.matches.images[result.place]
        painter = Painter(result.image, truth.classes)
        detections = evaluation.found[result.place]
        sheet = side_by_side(
            [
                ("truth", painter.truth(matches, threshold)),
                ("found", painter.found(detections, matches, threshold)),
            ]
        )
        name = image_name(result.image)
        own = "no object on it" if result.ap is None else f"AP {number(result.ap)}"
        caption = el("figcaption", el("b", name), el("span", f"{own} · {mistakes(result.counts)}"))
        picture = picture_of(folder, position, sheet, f"{name}: the truth left, what was found right")
        figures_.append(el("figure", caption, picture))
    fates = {
        "right": "right",
        "missed": "missed",
        "extra": "extra: of nothing, of what was found already, or too far off",
        "confused": "found as another class",
        "ignored": "to be ignored",
    }
    return section("Worst images", key(fates), *figures_)
