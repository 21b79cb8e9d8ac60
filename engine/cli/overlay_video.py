"""The work behind `label --out-video`: the labelled frames of one video with their masks, as a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.cli.console import Progress, say
from engine.document.records import Instance, MediaItem
from engine.errors import DataError, MaskwrightError
from engine.media.film import write_film
from engine.media.image import read_rgb
from engine.media.picture import Rgb
from engine.media.scan import is_video_name
from engine.media.video import reader_of
from engine.messages import LabelFolder
from engine.overlay import draw
from engine.project import Project


def check_target(targets: Sequence[Path], out: Path) -> None:
    """Raises DataError unless one video is to be labelled, and `out` is not that one."""
    if len(targets) != 1 or not is_video_name(targets[0].name):
        raise DataError("--out-video draws over one video: name a single video file to label.")
    if not is_video_name(out.name):
        raise DataError(f"--out-video {out} is no name of a video: let it end in .mp4, .mkv or .mov.")
    if out.exists() and out.samefile(targets[0]):
        raise DataError(f"--out-video would write over {out}: choose another name.")


def write_overlay_video(
    request: LabelFolder, threshold: float, classes: tuple[str, ...] | None, out: Path
) -> None:
    """Write the frames asked for with what the project holds of them, at the times they have in the video."""
    with Project.open(request.folder, read_only=True) as project:
        items = [
            item
            for item in project.media()
            if item.path in request.only and not item.missing and not item.frame % max(request.every, 1)
        ]
        if not items:
            raise DataError(f"{out} is not written: no frame of the video is known.")
        with Progress(f"write {out.name}", len(items), unit="frames") as progress:
            count = write_film(out, _drawn(project, items, threshold, classes, progress))
    say(f"{count:,} frames with masks in {out}")


def _drawn(
    project: Project,
    items: Sequence[MediaItem],
    threshold: float,
    wanted: tuple[str, ...] | None,
    progress: Progress,
) -> Iterator[tuple[float, Rgb]]:
    classes = {one.id: one for one in project.classes()}
    index = reader_of(project.path_of(items[0])).index

    def is_shown(one: Instance) -> bool:
        of_class = wanted is None or classes[one.class_id].name in wanted
        return of_class and (not one.provenance.is_proposal or (one.score or 0) >= threshold)

    for item in items:
        try:
            pixels = read_rgb(project.path_of(item), item.frame, item.contrast)
        except MaskwrightError as error:
            say(f"left out: {error}")
            progress.advance(failed=True)
            continue
        shown = [one for one in project.load(item.id).instances if is_shown(one)]
        yield index.seconds(item.frame), draw(pixels, shown, classes)
        progress.advance()
