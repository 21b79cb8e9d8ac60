"""`eval`: measure a model on labelled images."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("eval")
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--model", required=True, help="A model's name or its file.")
@click.option("--images", type=_FOLDER, help="Where a COCO file's pictures are.")
@click.option(
    "--val-fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Measure on the share of DATA that `train` with the same --val-fraction and --seed kept back.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="The score from which a detection counts, in all figures but AP.",
)
@click.option("--against", metavar="MODEL", help="Measure this model too, and put the two side by side.")
@click.option(
    "--all",
    "on_all",
    is_flag=True,
    help="Measure on all reviewed images of a project, not on the held-out ones alone.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a report here: a page to open, pictures, and the figures as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def evaluate(
    data: Path,
    *,
    model: str,
    images: Path | None,
    val_fraction: float | None,
    seed: int,
    device: str,
    threshold: float,
    against: str | None,
    on_all: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Measure a model on DATA, a project folder (its reviewed images) or a COCO JSON file.

    Of a project whose images have been held out from training those alone count, as at its gate.
    Prints COCO's AP by mask, boundary and box on a 0-1 scale, with up to 300 detections an image, and
    how much is found, and found right, at a score threshold.
    """
    from engine.cli import evaluating
    from engine.cli.models import obtain
    from engine.train.report import check_writable
    from engine.train.sources import load_labelled, split

    truth = load_labelled(data, images)
    if data.is_dir() and not on_all and val_fraction is None:
        truth = evaluating.held_out_of(data) or truth
    if val_fraction is not None:
        _, truth = split(truth, val_fraction, seed)
    if report is not None:
        check_writable(report)
    versions = [obtain(name) for name in (model, against) if name is not None]
    some_known = any(set(version.card.classes) & set(truth.class_names) for version in versions)
    after, *others = (
        evaluating.measure(truth, version, device, may_know_nothing=some_known) for version in versions
    )
    before = others[0] if others else None
    evaluating.tell(truth, after, before, threshold=threshold, report=report, as_json=as_json)
