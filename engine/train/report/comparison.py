"""The report of two models on the same images, such as before and after a training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.formats.labelled import LabelledSet
from engine.train.confusion import THRESHOLD, Confusion
from engine.train.evaluate import Evaluation
from engine.train.report.figures import Measurement, compared
from engine.train.report.folder import PAGE, filled
from engine.train.report.html import Html, el, page, section, table
from engine.train.report.parts import (
    MOST_PICTURES,
    curves_of,
    data_in_words,
    foot,
    key,
    own_scores,
    picture_of,
    write_texts,
)
from engine.train.report.pictures import Painter, side_by_side
from engine.train.report.words import advice, change, count, image_name, mistakes, number, percent

ROWS = {
    "mask_ap": "Mask AP",
    "mask_ap50": "Mask AP50",
    "mask_ap75": "Mask AP75",
    "boundary_ap": "Boundary AP",
    "box_ap": "Box AP",
    "box_ap50": "Box AP50",
    "mask_ap_small": "Mask AP, small objects",
    "mask_ap_medium": "Mask AP, medium objects",
    "mask_ap_large": "Mask AP, large objects",
}


def write_comparison(
    folder: Path,
    truth: LabelledSet,
    *,
    before: Measurement,
    after: Measurement,
    threshold: float = THRESHOLD,
) -> Path:
    """Write a report of two measurements on the images of `truth`; returns where the page is.

    Figures stand side by side with their difference, and up to 8 images show the truth, before and
    after: those whose own AP changed most, for better or worse. `metrics.json` holds the figures of
    both. Other files in the folder stay; errors are those of `write_report`.
    """
    with filled(folder) as unfinished:
        parts = _parts(unfinished, truth, before, after, threshold)
        title = f"{after.name} against {before.name}"
        text = page(title, *parts, foot=foot(truth, before.version, after.version))
        write_texts(unfinished, text, compared(truth, before, after, threshold))
    return folder / PAGE


def _parts(
    folder: Path, truth: LabelledSet, before: Measurement, after: Measurement, threshold: float
) -> Iterator[Html]:
    old, new = (one.evaluation.matches.at(threshold) for one in (before, after))
    yield el("h1", f"{before.name} → {after.name}")
    yield el("p", f"Both measured on the same {data_in_words(truth)}.", class_="soft")
    yield el("p", *_headline(old, new), class_="headline")
    yield el(
        "p",
        f"At a score threshold of {threshold:.2f}, before → after. {advice(after.evaluation.matches, new)}",
        class_="soft",
    )
    yield section("Figures", _figures(before, after, old, new))
    if len(truth.classes) > 1 and after.evaluation.scores.per_class:
        yield section("By class", _by_class(before.evaluation, after.evaluation))
    if truth.instance_count:
        yield section("Precision and recall", _curves(folder, before, after))
    yield _pictures(folder, truth, before, after, threshold)


def _headline(old: Confusion, new: Confusion) -> Iterator[str]:
    if new.true:
        yield "Finds "
        yield el("b", f"{percent(old.recall)} → {percent(new.recall)}")
        yield " of the objects; "
    yield el("b", f"{percent(old.precision)} → {percent(new.precision)}")
    yield " of what it finds is right."


def _figures(before: Measurement, after: Measurement, old: Confusion, new: Confusion) -> Html:
    a, b = before.evaluation.scores.metrics, after.evaluation.scores.metrics
    rows = [_row(title, a[name], b[name]) for name, title in ROWS.items() if name in a and name in b]
    rows += [
        _row("Found, share of the objects", old.recall, new.recall),
        _row("Right, share of what is found", old.precision, new.precision),
    ]
    mistaken = {
        "Missed": (old.missed, new.missed),
        "Extra": (old.extra, new.extra),
        "Of another class": (old.confused, new.confused),
    }
    for title, (was, now) in mistaken.items():
        rows.append((title, f"{was:,}", f"{now:,}", _signed(f"{now - was:+,}", was - now)))
    return table(("", f"Before: {before.name}", f"After: {after.name}", "Difference"), rows)


def _by_class(before: Evaluation, after: Evaluation) -> Html:
    kind = after.scores.main
    rows = []
    for name, new in after.scores.per_class.items():
        old = before.scores.per_class.get(name, {})
        cells = _row(name, old.get(f"{kind}_ap"), new.get(f"{kind}_ap"))
        rows.append((name, f"{after.scores.instances[name]:,}", *cells[1:]))
    return table(("Class", "Objects", f"{kind.capitalize()} AP before", "after", "Difference"), rows)


def _row(title: str, before: float | None, after: float | None) -> tuple[str, str, str, str]:
    gain = 0.0 if before is None or after is None else after - before
    return title, number(before), number(after), _signed(change(before, after), gain)


def _signed(text: str, gain: float) -> Html:
    """A difference, in the colour of better or worse."""
    text = text.replace("-", "−")
    return el("td", text, class_="good" if gain > 0.0005 else "bad" if gain < -0.0005 else "same")


def _curves(folder: Path, before: Measurement, after: Measurement) -> Html:
    from engine.train.report.plots import mean_line

    kind = after.evaluation.scores.main
    lines = [
        mean_line(f"before: {before.name}", before.evaluation.scores.curves[kind], main=False),
        mean_line(f"after: {after.name}", after.evaluation.scores.curves[kind]),
    ]
    return curves_of(folder, lines)


def _pictures(
    folder: Path, truth: LabelledSet, before: Measurement, after: Measurement, threshold: float
) -> Html:
    own = [own_scores(truth, one.evaluation) for one in (before, after)]
    changed = [(b or 0.0) - (a or 0.0) for a, b in zip(*own, strict=True)]
    order = sorted(range(len(changed)), key=lambda place: -abs(changed[place]))
    shown = []
    for position, place in enumerate(order[:MOST_PICTURES], start=1):
        painter, image = Painter(truth.images[place], truth.classes), truth.images[place]
        panels, told = [("truth", painter.truth())], []
        for title, one in (("before", before), ("after", after)):
            matches = one.evaluation.matches
            drawn = painter.found(one.evaluation.found[place], matches.images[place], threshold)
            panels.append((title, drawn))
            told.append(mistakes(matches.of_image(place, threshold)))
        aps = "no object on it" if own[1][place] is None else " → ".join(number(aps[place]) for aps in own)
        words = el("span", f"AP {aps} · before: {told[0]} · after: {told[1]}")
        alt = f"{image_name(image)}: the truth, what was found before, what was found after"
        picture = picture_of(folder, position, side_by_side(panels), alt)
        shown.append(el("figure", el("figcaption", el("b", image_name(image)), words), picture))
    fates = {
        "true": "the truth",
        "right": "right",
        "extra": "extra: of nothing, of what was found already, or too far off",
        "confused": "found as another class",
        "ignored": "to be ignored",
    }
    title = f"Before and after: the {count(len(shown), 'image')} that changed most"
    return section(title, key(fates), *shown)
