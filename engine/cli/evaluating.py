"""The work behind `eval`: the model, the run with its progress, the tables at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from engine.cli.console import Progress, say
from engine.device import choose_device, number_format, use_threads
from engine.formats.labelled import LabelledSet
from engine.models.card import ModelVersion
from engine.models.version import load_network
from engine.predict.predictor import Predictor
from engine.predict.settings import PredictSettings
from engine.train.confusion import Confusion
from engine.train.evaluate import Evaluation, assess, evaluate
from engine.train.gate import Contender, judge
from engine.train.report import Measurement, compared, figures, write_comparison, write_report
from engine.train.report.comparison import ROWS
from engine.train.report.words import advice, change, headline, number
from engine.train.scores import KINDS, MAX_DETECTIONS
from engine.train.sources import load_for_tuning
from engine.train.verdict import Accept

MOST_CLASSES = 20
"""More are left to the report and to --json."""

_COLUMNS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "recall")
_CLASS_COLUMNS = ("mask ap", "mask ap50", "mask ap75", "boundary ap", "box ap")


def measure(
    truth: LabelledSet, version: ModelVersion, device: str, *, may_know_nothing: bool = False
) -> Measurement:
    """Load a model and measure it, with progress on the error stream. Raises MaskwrightError.

    may_know_nothing: one that knows no class of the truth finds nothing, instead of being an error.
    """
    if may_know_nothing and not set(version.card.classes) & set(truth.class_names):
        say(f"{version.card.name} knows no class of the data: it counts as a model that finds nothing")
        return Measurement(version, assess(truth, [()] * len(truth.images)))
    choice = choose_device(device)
    use_threads(window=False)
    say(f"device: {choice.reason}")
    settings = PredictSettings(max_detections=MAX_DETECTIONS)
    predictor = Predictor(
        load_network(version),
        version.card,
        settings,
        device=choice.name,
        number_format=number_format(choice.name),
    )
    with Progress(f"measuring {version.card.name}", len(truth.images)) as progress:
        return Measurement(version, evaluate(predictor, truth, on_image=progress.advance))


def held_out_of(folder: Path) -> LabelledSet | None:
    """The images that a project holds out from training; None where it holds out none."""
    _, held_out = load_for_tuning(folder)
    if not held_out.images:
        say("no image of the project is held out yet: all reviewed ones count")
        return None
    say(f"measuring on the {len(held_out.images)} images that the project holds out (--all: on all reviewed)")
    return held_out


def tell(
    truth: LabelledSet,
    after: Measurement,
    before: Measurement | None,
    *,
    threshold: float,
    report: Path | None,
    as_json: bool,
) -> None:
    """Print the figures, of one model or of two, and write the report where one is wanted."""
    page = None
    if report is not None and before is not None:
        page = write_comparison(report, truth, before=before, after=after, threshold=threshold)
    elif report is not None:
        page = write_report(report, truth, after, threshold)
    if as_json:
        content = figures(truth, after, threshold)
        if before is not None:
            content = compared(truth, before, after, threshold)
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
    elif before is not None:
        show_comparison(before, after, len(truth.images), threshold)
        click.echo("")
        show_certainty(truth, before, after)
    else:
        show(after.evaluation, len(truth.images), threshold)
    if page is not None:
        (say if as_json else click.echo)(f"the report: {page}")


def show(evaluation: Evaluation, images: int, threshold: float) -> None:
    """Print the figures on standard output, as tables and in words; a dash where nothing can be measured."""
    scores, counts = evaluation.scores, evaluation.matches.at(threshold)
    click.echo(f"{images} images, up to {MAX_DETECTIONS} detections each; AP and recall from 0 to 1")
    rows = [
        (kind, *(number(scores.metrics.get(f"{kind}_{name}")) for name in _COLUMNS))
        for kind in KINDS
        if f"{kind}_ap" in scores.metrics
    ]
    _print(("", *(name.replace("_", " ") for name in _COLUMNS)), rows)
    if 1 < len(scores.per_class) <= MOST_CLASSES:
        names = [name for name in _CLASS_COLUMNS if f"{name.split()[0]}_ap" in scores.metrics]
        rows = [
            (name, str(scores.instances[name]), *(number(values.get(c.replace(" ", "_"))) for c in names))
            for name, values in scores.per_class.items()
        ]
        click.echo("")
        _print(("class", "objects", *names), rows)
    click.echo(f"\nAt a score threshold of {threshold:.2f}: {_sentence(counts)}")
    if said := advice(evaluation.matches, counts):
        click.echo(said)


def show_comparison(before: Measurement, after: Measurement, images: int, threshold: float) -> None:
    """Print the figures of two models side by side, with what the second has more."""
    click.echo(f"{images} images, up to {MAX_DETECTIONS} detections each; AP from 0 to 1")
    old, new = (one.evaluation.scores.metrics for one in (before, after))
    rows = [
        (title, number(old[name]), number(new[name]), change(old[name], new[name]))
        for name, title in ROWS.items()
        if name in old and name in new
    ]
    _print(("", before.name, after.name, "difference"), rows)
    click.echo("")
    for one in (before, after):
        counts = one.evaluation.matches.at(threshold)
        click.echo(f"{one.name}, at a score threshold of {threshold:.2f}: {_sentence(counts)}")


def show_certainty(truth: LabelledSet, before: Measurement, after: Measurement) -> None:
    """Print what the gate would say of the difference."""
    old, new = (
        Contender(one.name, one.evaluation.scores, one.evaluation.matches, one.evaluation.found)
        for one in (before, after)
    )
    verdict = judge(truth, old=old, new=new, accept=Accept.BETTER, seed=0)
    if verdict.new is not None:
        click.echo(f"{verdict.certainty} At the gate of a fine-tuning: {verdict.decision}.")


def _sentence(counts: Confusion) -> str:
    said = "".join(part for part, _ in headline(counts))
    return said[0].lower() + said[1:]


def _print(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for position, title in enumerate(head):
        table.add_column(Text(title), justify="right" if position else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a name is not markup
    Console(highlight=False).print(table)
