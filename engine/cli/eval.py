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
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the figures and the worst images here.",
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
    report: Path | None,
    as_json: bool,
) -> None:
    """COCO box and mask AP of a model on DATA, a project folder (its reviewed images) or a COCO JSON file.

    Up to 300 detections an image count. AP is on a 0-1 scale.
    """
    import json

    from engine.cli import evaluating
    from engine.train.report import figures, write_report
    from engine.train.sources import load_labelled, split

    truth = load_labelled(data, images)
    if val_fraction is not None:
        _, truth = split(truth, val_fraction, seed)
    version, evaluation = evaluating.measure(truth, model, device)
    if report is not None:
        write_report(report, version, truth, evaluation)
    if as_json:
        click.echo(json.dumps(figures(version, truth, evaluation), indent=1, ensure_ascii=False))
    else:
        evaluating.show(evaluation.scores, len(truth.images))
