"""`label`: propose instances for pictures, store them in the project, and write them out if asked."""

from __future__ import annotations

import json
from pathlib import Path

import click

DEFAULT_MODEL = "starter"
DEFAULT_THRESHOLD = 0.5


@click.command()
@click.argument("targets", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER|FILE...")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A model's name or its file.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=DEFAULT_THRESHOLD,
    show_default=True,
    help="Least score of what --out and --overlays show. The project keeps every proposal from 0.05 up.",
)
@click.option("--classes", help="Store these classes only: names with commas between.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write COCO JSON with exact RLE."
)
@click.option(
    "--overlays", type=click.Path(path_type=Path, file_okay=False), help="Write pictures with the masks."
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Of a video, label each N-th frame.",
)
@click.option(
    "--out-video",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the labelled frames of one video with their masks as a video.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Label at most N pictures in this run.")
@click.option("--again", is_flag=True, help="Also those whose proposals are up to date.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option(
    "--side", type=click.IntRange(min=32), help="Resize the short side to this instead of the model's own."
)
@click.option("--max-detections", type=click.IntRange(1, 2000), default=300, show_default=True)
@click.option("--max-megapixels", type=click.FloatRange(min=1), help="Decode pictures up to this size.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures of the run as JSON.")
def label(
    targets: tuple[Path, ...],
    *,
    model: str,
    threshold: float,
    classes: str | None,
    out: Path | None,
    overlays: Path | None,
    every: int,
    out_video: Path | None,
    limit: int | None,
    again: bool,
    device: str,
    side: int | None,
    max_detections: int,
    max_megapixels: float | None,
    as_json: bool,
) -> int:
    """Propose instances for every picture of a folder, or for single files; frames of videos are pictures.

    Proposals go into the folder's project. What a person reviewed is left alone, and a second run
    does only what is missing. Ctrl+C stops after the picture at hand; the next run goes on there.
    """
    from engine.cli import labelling, overlay_video
    from engine.media.image import MAX_PIXELS
    from engine.messages import LabelFolder, ModelChoice
    from engine.predict.settings import PredictSettings

    settings = PredictSettings(
        score_threshold=min(0.05, threshold),
        max_detections=max_detections,
        min_size=side,
        max_size=None if side is None else 2 * side,
    )
    if out_video is not None:
        overlay_video.check_target(targets, out_video)
    wanted = None if classes is None else tuple(name.strip() for name in classes.split(",") if name.strip())
    labelling.check_model(model, wanted)
    choice = ModelChoice(model, settings, device)
    max_pixels = MAX_PIXELS if max_megapixels is None else round(max_megapixels * 1e6)
    report = labelling.Report()
    for folder, only in labelling.by_folder(targets).items():
        left = None if limit is None else limit - report.labelled
        if left == 0:
            break
        request = LabelFolder(folder, choice, only, wanted, left, again, max_pixels, every)
        labelling.run(request, report)
        if report.canceled:
            break
    if not report.canceled and (out or overlays):
        labelling.write_results(report, threshold, wanted, out, overlays)
    if not report.canceled and out_video and report.requests:
        overlay_video.write_overlay_video(report.requests[0], threshold, wanted, out_video)
    if as_json:
        click.echo(json.dumps(report.figures(), indent=1))
    labelling.conclude(report)
    return report.exit_code()
