"""`contrast`: which samples of 16-bit and floating-point pictures become black and white, in a project."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="PROJECT")
@click.option(
    "--window", type=float, nargs=2, metavar="BLACK WHITE", help="These two samples, in every picture."
)
@click.option(
    "--percentile", type=float, nargs=2, metavar="LOW HIGH", help="Shares of each picture's own samples."
)
@click.option("--full", is_flag=True, help="All that the type of the samples can hold.")
@click.option("--auto", is_flag=True, help="By the depth that the camera used; as it is without a choice.")
@click.option("--gamma", type=float, default=1.0, show_default=True, help="Above 1 lifts what is dark.")
@click.option("--image", help="For this file and its pages only, named as in the project.")
def contrast(
    folder: Path,
    *,
    window: tuple[float, float] | None,
    percentile: tuple[float, float] | None,
    full: bool,
    auto: bool,
    gamma: float,
    image: str | None,
) -> int:
    """Say how pictures of more than 8 bits are seen: in the window, by models, and when training.

    Without an option it tells what is chosen. Proposals made of a picture as it was seen before are out of
    date: `label` makes them anew. Measurements are of the samples themselves, whatever is chosen here.
    """
    from engine.cli.console import say
    from engine.document.contrast import AUTOMATIC, Contrast, Way
    from engine.errors import DataError
    from engine.project import Project
    from engine.project.contrasts import Contrasts, contrasts_of, keep_contrasts

    if sum((window is not None, percentile is not None, full, auto)) > 1:
        raise DataError("Give one of --window, --percentile, --full and --auto.")
    if not (window or percentile or full or auto) and (gamma != 1.0 or image is not None):
        raise DataError("--gamma and --image go with one of --window, --percentile, --full and --auto.")
    way = Way.WINDOW if window else Way.PERCENTILE if percentile else Way.FULL if full else Way.AUTOMATIC
    try:
        chosen = Contrast(way, *(window or percentile or (0.0, 0.0)), gamma=gamma)
    except ValueError as e:
        raise DataError(f"This is no contrast: {e}.") from e
    with Project.open(folder, read_only=not (window or percentile or full or auto)) as project:
        now = contrasts_of(project)
        if not project.read_only:
            project.refresh()
            if image is None:
                now = Contrasts(chosen, now.own)
            elif any(item.path == image for item in project.media()):
                now = now.with_own(image, None if chosen == AUTOMATIC == now.usual else chosen)
            else:
                raise DataError(f"The project has no picture {image}: name it as the project does.")
            keep_contrasts(project, now)
        elif window or percentile or full or auto:
            raise DataError(project.read_only_reason)
    say(f"all pictures: {now.usual}")
    for path, own in sorted(now.own.items()):
        say(f"{path}: {own}")
    return 0
