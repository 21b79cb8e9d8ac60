"""The parts of a page that a report and a comparison share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine import __version__
from engine.formats.labelled import LabelledSet
from engine.models.card import Json, ModelVersion, utc_now
from engine.train.confusion import Confusion
from engine.train.evaluate import Evaluation
from engine.train.report.folder import PAGE
from engine.train.report.html import Html, el, image
from engine.train.report.pictures import COLORS, Rgb, encoded
from engine.train.report.words import count
from engine.train.scores import score

if TYPE_CHECKING:
    from engine.train.report.plots import Line

MOST_PICTURES = 8
CSS_DPI = 96


def picture_of(folder: Path, number: int, sheet: Rgb, alt: str) -> Html:
    """Write a sheet as PNG; on the page it is a smaller JPEG that leads to it."""
    file = folder / f"image_{number:02}.png"
    file.write_bytes(encoded(sheet, "png"))
    return el("a", image(encoded(sheet, "jpeg"), "jpeg", alt), href=file.name)


def curves_of(folder: Path, lines: Sequence[Line]) -> Html:
    """Precision-recall curves, written as PNG too."""
    from engine.train.report import plots

    (folder / "precision_recall.png").write_bytes(light := plots.precision_recall(lines, plots.LIGHT))
    dark = plots.precision_recall(lines, plots.DARK)
    return _drawing(light, dark, "Curves of precision over recall, with the AP of each")


def matrix_of(folder: Path, counts: Confusion) -> Html:
    """A confusion table as a picture, written as PNG too."""
    from engine.train.report import plots

    (folder / "confusion.png").write_bytes(light := plots.confusion_matrix(counts, plots.LIGHT))
    return _drawing(light, plots.confusion_matrix(counts, plots.DARK), "The confusion table as a picture")


def _drawing(light: bytes, dark: bytes, alt: str) -> Html:
    """At its size on paper, so that a fine screen shows it sharp."""
    from engine.train.report.plots import DPI

    width = int.from_bytes(light[16:20], "big")  # as PNG's header says
    return image(light, "png", alt, dark=dark, width=round(width * CSS_DPI / DPI))


def write_texts(folder: Path, page: str, content: Mapping[str, Json]) -> None:
    """Write the page and the figures. A file name that is no text loses the letters that are none."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8", errors="replace")
    (folder / PAGE).write_text(page, encoding="utf-8", errors="replace")


def own_scores(truth: LabelledSet, evaluation: Evaluation) -> list[float | None]:
    """Each image's own AP, by mask where the set has masks; None where nothing is true."""
    kind = evaluation.scores.main
    measured = (
        score(truth.with_images((one,)), [found], (kind,)).metrics
        for one, found in zip(truth.images, evaluation.found, strict=True)
    )
    return [metrics.get(f"{kind}_ap") for metrics in measured]


def key(fates: Mapping[str, str]) -> Html:
    """What the colours in the pictures mean: fate to words."""
    assert fates.keys() <= COLORS.keys()
    parts = (el("li", el("i", style=f"background: var(--{fate})"), words) for fate, words in fates.items())
    return el("ul", *parts, class_="key")


def data_in_words(truth: LabelledSet) -> str:
    """How much was measured on."""
    classes = count(len(truth.classes), "class", "classes")
    return f"{count(truth.instance_count, 'object')} of {classes} in {count(len(truth.images), 'image')}"


def foot(truth: LabelledSet, *versions: ModelVersion) -> str:
    """Where the page comes from, and what exactly was measured."""
    models = " · ".join(f"{one.card.name}: SHA-256 {one.card.sha256[:16]}" for one in versions)
    return (
        f"Maskwright {__version__}, {utc_now()[:10]} · {models} · data: {truth.fingerprint()[:16]} · "
        "AP as COCO defines it, with up to 300 detections an image; metrics.json holds every figure."
    )
