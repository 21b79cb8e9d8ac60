"""`measure`: sizes, shapes and brightness of a project's instances as a table."""

from __future__ import annotations

from pathlib import Path

import click

_OUT = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="PROJECT")
@click.option("--out", type=_OUT, required=True, help="Write a line an instance as CSV.")
@click.option("--images", type=_OUT, help="Write a line an image as CSV: counts and cover, by class too.")
@click.option("--scale", help='How long a pixel is, such as "0.35 µm", for all images in this run.')
@click.option("--keep-scale", is_flag=True, help="Keep --scale as the project's own.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Least score of proposals. What a person made is measured whatever its score.",
)
@click.option("--reviewed", is_flag=True, help="Images that a person has reviewed only.")
@click.option("--no-intensity", is_flag=True, help="Do not open the pictures: no mean intensity.")
def measure(
    folder: Path,
    *,
    out: Path,
    images: Path | None,
    scale: str | None,
    keep_scale: bool,
    threshold: float,
    reviewed: bool,
    no_intensity: bool,
) -> int:
    """Measure every instance of PROJECT: area, perimeter, length, width, orientation and more.

    In pixels, or in units where a scale is known: of the image, of the project, or from the file (ImageJ's
    unit, or a resolution that is not a screen's). Places are in pixels from the upper left.
    """
    from engine.cli.console import Progress, say
    from engine.errors import DataError
    from engine.measure import project as measuring
    from engine.measure.scale import parse_scale
    from engine.project import Project

    override = None if scale is None else parse_scale(scale)
    if keep_scale and override is None:
        raise DataError("--keep-scale keeps what --scale says: give both.")
    wanted = measuring.Wanted(threshold, reviewed_only=reviewed, with_intensity=not no_intensity)
    with Project.open(folder, read_only=not keep_scale) as project:
        if keep_scale:
            measuring.keep_scale(project, override)
        items = measuring.measurable(project, wanted)
        rows, summaries = [], []
        with Progress(f"measure {project.folder.name}", len(items)) as progress:
            for summary, found in measuring.measure_items(
                project, items, wanted, measuring.Scales(project, override)
            ):
                rows += found
                summaries.append(summary)
                progress.advance(failed=bool(summary.problem))
                if summary.problem:
                    say(f"no intensity: {summary.problem}")
    measuring.write_instances(out, rows)
    say(f"{len(rows):,} instances of {len(summaries):,} images in {out}")
    if images is not None:
        measuring.write_summaries(images, summaries)
        say(f"counts and cover of {len(summaries):,} images in {images}")
    return 1 if any(one.problem for one in summaries) else 0
