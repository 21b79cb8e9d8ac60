"""Measures what a project holds: a row an instance, a summary an image; and writes them as CSV.

Knows the project and its pictures. Which instances count is said once, by `Wanted`.
"""

from __future__ import annotations

import csv
import math
from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.document.document import Document
from engine.document.records import ClassDef, Instance, MediaItem, ReviewState
from engine.errors import DataError, MaskwrightError
from engine.files import replacing
from engine.measure.figures import NOTHING, Figures, Grey, measure
from engine.measure.scale import PIXELS, Scale, from_json, scale_of_file, to_json
from engine.media.image import read_grey
from engine.project import Project

SCALE_NOTE = "scale"
"""The project's note with its scale; with ":" and a file's path behind it, that file's."""

_THREADS, _AHEAD = 2, 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which instances are measured. threshold: proposals from this score on; what a person made always."""

    threshold: float = 0.5
    reviewed_only: bool = False
    with_intensity: bool = True

    def takes(self, one: Instance) -> bool:
        """Whether an instance counts."""
        return not one.provenance.is_proposal or one.score is None or one.score >= self.threshold


@dataclass(frozen=True, slots=True)
class Measured:
    """One instance. figures: in pixels; `in_units` gives them by the scale. score: NaN for none."""

    media_id: int
    instance_id: int
    image: str
    frame: int
    class_id: int
    class_name: str
    provenance: str
    score: float
    figures: Figures
    scale: Scale

    @property
    def in_units(self) -> Figures:
        """Lengths and areas by the scale; places stay in pixels, so that they can be found again."""
        size, of = self.scale.size, self.figures
        return replace(
            of,
            area=of.area * size**2,
            perimeter=of.perimeter * size,
            length=of.length * size,
            width=of.width * size,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """One image as a whole. cover: share of its pixels that lie in an instance, 0..1; by class as well.

    problem: why its brightness could not be measured; empty where it could.
    """

    media_id: int
    image: str
    frame: int
    width: int
    height: int
    scale: Scale
    counts: Mapping[str, int]
    cover: float
    covers: Mapping[str, float]
    problem: str = ""

    @property
    def count(self) -> int:
        """Of all classes."""
        return sum(self.counts.values())


class Scales:
    """Which scale an image has: its own, else the project's, else what its file states, else pixels."""

    def __init__(self, project: Project, override: Scale | None = None) -> None:
        self._project, self._override = project, override
        self._notes = {key: from_json(text) for key, text in project.notes(SCALE_NOTE).items()}
        self._of_files: dict[str, Scale] = {}

    def of(self, item: MediaItem) -> Scale:
        """The scale of an image; all frames of a file have one."""
        if self._override is not None:
            return self._override
        own = self._notes.get(f"{SCALE_NOTE}:{item.path}") or self._notes.get(SCALE_NOTE)
        return own or self.of_file(item)

    def of_file(self, item: MediaItem) -> Scale:
        """What the image's file states; pixels where it states nothing."""
        if item.path not in self._of_files:
            self._of_files[item.path] = scale_of_file(self._project.path_of(item)) or PIXELS
        return self._of_files[item.path]


def keep_scale(project: Project, scale: Scale | None, path: str = "") -> None:
    """Keep the scale of a file, or of the project for an empty path; None: what applies without it."""
    key = f"{SCALE_NOTE}:{path}" if path else SCALE_NOTE
    project.note({key: None if scale is None else to_json(scale)})


def measurable(project: Project, wanted: Wanted, media_ids: Collection[int] | None = None) -> list[MediaItem]:
    """The images with something to measure, as the project lists them: with instances, or looked at."""
    states = project.image_states()
    reviewed = {id_ for id_, state in states.items() if state.review is ReviewState.REVIEWED}
    known = reviewed if wanted.reviewed_only else {*states, *project.survey().media_ids.tolist()}
    return [
        item for item in project.media() if item.id in known and (media_ids is None or item.id in media_ids)
    ]


def measure_items(
    project: Project, items: Sequence[MediaItem], wanted: Wanted, scales: Scales
) -> Generator[tuple[Summary, list[Measured]], None, None]:
    """Measure images one by one; their pictures are decoded ahead on threads. Closing it ends them."""
    classes = {one.id: one for one in project.classes()}
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="measure")
    try:
        for item, document, picture in _ahead(project, items, wanted, threads):
            taken = [one for one in document.instances if wanted.takes(one)]
            grey, problem = None, ""
            if picture is not None:
                try:
                    grey = picture.result()
                except MaskwrightError as error:
                    problem = str(error)
            sized = item if grey is None else replace(item, width=grey.shape[1], height=grey.shape[0])
            scale = scales.of(item)
            yield (
                _summary(sized, taken, classes, scale, problem),
                measure_image(item, taken, classes, grey, scale),
            )
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def measure_image(
    item: MediaItem,
    instances: Iterable[Instance],
    classes: Mapping[int, ClassDef],
    grey: Grey | None,
    scale: Scale,
) -> list[Measured]:
    """Measure instances of one image, wherever they come from; without a picture they have no brightness."""
    return [_measured(item, one, classes[one.class_id], grey, scale) for one in instances]


def _ahead(
    project: Project, items: Iterable[MediaItem], wanted: Wanted, threads: ThreadPoolExecutor
) -> Iterator[tuple[MediaItem, Document, Future[Grey] | None]]:
    """Each image with its records and, where it has any and brightness is wanted, its picture to come."""
    waiting: deque[tuple[MediaItem, Document, Future[Grey] | None]] = deque()
    for item in items:
        document, coming = project.load(item.id), None
        if wanted.with_intensity and not item.missing and any(map(wanted.takes, document.instances)):
            coming = threads.submit(read_grey, project.path_of(item), item.frame)
        waiting.append((item, document, coming))
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()


def _measured(item: MediaItem, one: Instance, cls: ClassDef, grey: Grey | None, scale: Scale) -> Measured:
    figures = NOTHING if one.mask is None else measure(one.mask, grey)
    if one.mask is None:  # known by its box alone: where it is, and no shape
        x0, y0, x1, y1 = one.bounds_xyxy
        figures = replace(NOTHING, centroid_x=(x0 + x1 - 1) / 2, centroid_y=(y0 + y1 - 1) / 2)
    score = math.nan if one.score is None else one.score
    return Measured(
        item.id, one.id, item.path, item.frame, cls.id, cls.name, one.provenance.value, score, figures, scale
    )


def _summary(
    item: MediaItem, taken: Sequence[Instance], classes: Mapping[int, ClassDef], scale: Scale, problem: str
) -> Summary:
    counts: dict[str, int] = {}
    by_class: dict[str, list[Instance]] = {}
    for one in taken:
        name = classes[one.class_id].name
        counts[name] = counts.get(name, 0) + 1
        by_class.setdefault(name, []).append(one)
    covers = {name: _cover(item, some) for name, some in by_class.items()}
    return Summary(
        item.id, item.path, item.frame, item.width, item.height, scale, counts, _cover(item, taken), covers,
        problem,
    )  # fmt: skip


def _cover(item: MediaItem, instances: Sequence[Instance]) -> float:
    """Share of the image that lies in at least one of these; NaN where its size is not known."""
    if not item.width:
        return math.nan
    covered = np.zeros((item.height, item.width), np.bool_)
    for one in instances:
        if one.mask is not None:
            mask = one.mask.clipped(item.height, item.width)
            height, width = mask.bitmap.shape
            covered[mask.y : mask.y + height, mask.x : mask.x + width] |= mask.bitmap
    return float(np.count_nonzero(covered)) / covered.size


INSTANCE_COLUMNS = (
    "image", "frame", "instance", "class", "provenance", "score", "unit", "pixel_size", "area", "perimeter",
    "length", "width", "orientation_deg", "circularity", "mean_intensity", "centroid_x_px", "centroid_y_px",
)  # fmt: skip
IMAGE_COLUMNS = ("image", "frame", "width_px", "height_px", "unit", "pixel_size", "instances", "cover")


def instance_row(row: Measured) -> list[str]:
    """One instance as a line of the table, in its units."""
    of = row.in_units
    figures = (
        of.area, of.perimeter, of.length, of.width, of.orientation, of.circularity, of.mean_intensity,
        of.centroid_x, of.centroid_y,
    )  # fmt: skip
    return [
        row.image, str(row.frame), str(row.instance_id), row.class_name, row.provenance, _text(row.score),
        row.scale.unit, f"{row.scale.size:g}", *map(_text, figures),
    ]  # fmt: skip


def write_instances(path: Path, rows: Iterable[Measured]) -> None:
    """Write a line an instance. Raises DataError where the file cannot be written."""
    _write(path, INSTANCE_COLUMNS, map(instance_row, rows))


def write_summaries(path: Path, summaries: Sequence[Summary]) -> None:
    """Write a line an image, with counts and covers a class. Raises DataError as `write_instances`."""
    names = sorted({name for one in summaries for name in one.counts})
    head = (*IMAGE_COLUMNS, *(f"instances of {n}" for n in names), *(f"cover of {n}" for n in names))
    rows = (
        [
            one.image, str(one.frame), str(one.width or ""), str(one.height or ""), one.scale.unit,
            f"{one.scale.size:g}", str(one.count), _text(one.cover),
            *(str(one.counts.get(name, 0)) for name in names),
            *(_text(one.covers.get(name, 0.0)) for name in names),
        ]
        for one in summaries
    )  # fmt: skip
    _write(path, head, rows)


def _text(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.6g}"


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    try:
        # With the mark that spreadsheets need to see UTF-8.
        with (
            replacing(path) as part,
            part.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file,
        ):
            table = csv.writer(file)
            table.writerow(head)
            table.writerows(rows)
    except OSError as e:
        raise DataError(f"{path} cannot be written ({e.strerror or e}): choose another place.") from e
