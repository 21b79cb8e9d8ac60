"""`upgrade`: a data set of boxes becomes one of masks."""

from __future__ import annotations

import json
from pathlib import Path

import click

from engine.cli.label import DEFAULT_MODEL

BOXES = {"auto": None, "voc": "voc", "yolo": "yolo-detect", "coco": "coco"}
"""What people call a format of boxes -> its name here; None to recognise it."""


@click.command()
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA")
@click.option(
    "--boxes",
    type=click.Choice([*BOXES, "project"]),
    default="auto",
    show_default=True,
    help="The format of DATA; project: DATA is a folder with a project that holds the boxes already.",
)
@click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False), help="The folder of pictures, if not found."
)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A model's name or its file.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Of boxes that a model proposed (`label`): those of less score are left as they are.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the labels with their masks to a folder.")
@click.option(
    "--format", "format_name", default="coco", show_default=True, help="Of --out; `formats` lists them."
)
@click.option("--overwrite", is_flag=True, help="Files of the same name in --out may be replaced.")
@click.option(
    "--least-fill",
    type=click.FloatRange(0, 1),
    default=0.75,
    show_default=True,
    help="Flag a mask for review whose bounds meet its box by a smaller IoU.",
)
@click.option("--skip-broken", is_flag=True, help="Leave out what is broken in DATA, and take in the rest.")
@click.option("--limit", type=click.IntRange(min=1), help="Do at most N pictures in this run.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option(
    "--side", type=click.IntRange(min=32), help="Resize the short side to this instead of the model's own."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures of the run as JSON.")
def upgrade(
    data: Path,
    *,
    boxes: str,
    images: Path | None,
    model: str,
    threshold: float,
    out: Path | None,
    format_name: str,
    overwrite: bool,
    least_fill: float,
    skip_broken: bool,
    limit: int | None,
    device: str,
    side: int | None,
    as_json: bool,
) -> int:
    """Turn the boxes of a data set into masks: a model draws the object inside each box.

    DATA is taken into the project of its pictures first, as `import` does it; then every instance that has
    only a box gets a mask, and keeps its class, box and id. Images in which a mask disagrees with its box
    are flagged "check masks" and wait for a review. Ctrl+C stops after the picture at hand; the same command
    goes on there.

    A detector without masks (Faster R-CNN, SSD) finds the boxes where there are none yet: after `label PHOTOS
    --model DETECTOR` comes `upgrade PHOTOS --boxes project`.
    """
    from engine.cli import upgrading
    from engine.exchange.exporting import ExportOptions
    from engine.messages import ModelChoice
    from engine.predict.settings import PredictSettings

    settings = PredictSettings(min_size=side, max_size=None if side is None else 2 * side)
    report = upgrading.run(
        data,
        ModelChoice(model, settings, device),
        take_in=boxes != "project",
        format_name=BOXES.get(boxes),
        images=images,
        skip_broken=skip_broken,
        least_score=threshold,
        least_fill=least_fill,
        limit=limit,
    )
    if not report.canceled and out is not None:
        options = ExportOptions(
            format_name, out, proposals=boxes == "project", threshold=threshold, overwrite=overwrite
        )
        upgrading.write(report, options)
    if as_json:
        click.echo(json.dumps(report.figures(), indent=1))
    upgrading.conclude(report)
    return report.exit_code()
