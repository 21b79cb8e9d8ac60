"""Label files into a project: read everything first, say what would come, then take it in at once.

`prepare` reads and checks all of it into a spool and changes nothing; `Prepared.summary` is what a person is
shown; `commit` is one transaction. Knows the formats by their registry, pictures by their folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from engine.closing import Closing
from engine.document.records import ClassDef, ReviewState
from engine.errors import DataError
from engine.exchange.spool import Spool
from engine.formats.checks import kept_json, shortened
from engine.formats.reading import Pictures, ReadImage, Reading, with_ids
from engine.formats.registry import Format, format_named, recognise
from engine.formats.source import Source
from engine.media.scan import scan_folder
from engine.project import Project
from engine.project.bulk import Imported
from engine.project.location import DATABASE_NAME, PROJECT_DIR

BATCH_PREFIX = "import "
"""Of the batches of imports, by which they are undone."""

MOST_NAMED = 20

Told: TypeAlias = Callable[[int], None]


@dataclass(slots=True)
class Summary:
    """What an import would bring, for a person to agree to.

    new_classes: names that the project does not have. missing, other_size: sentences on images that are
    left out. problems: sentences on what is broken in the files, `problem_count` all of them. left_out: what
    is no fault and has no place here, by a plural. kept: images that are reviewed already. copies: pictures
    that are not in the folder, and could be.
    """

    format: str
    title: str
    source: Path
    folder: Path
    images: int = 0
    negatives: int = 0
    instances: int = 0
    ignore_regions: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    new_classes: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)
    missing_count: int = 0
    other_size: list[str] = field(default_factory=list)
    other_size_count: int = 0
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    pictures: int = 0
    copies: int = 0
    has_scores: bool = False

    @property
    def broken(self) -> int:
        """Things in the files that are wrong and would be left out."""
        return self.problem_count + self.other_size_count

    def lines(self) -> list[str]:
        """The summary in sentences."""
        said = [
            f"{self.title}: {_count(self.instances, 'instance')} of {_count(len(self.classes), 'class')} on "
            f"{_count(self.images, 'image')}"
            + (f", {_count(self.ignore_regions, 'ignore region')}" if self.ignore_regions else "")
            + (f"; {self.negatives:,} of the images hold nothing" if self.negatives else "")
            + "."
        ]
        if self.new_classes:
            shown = ", ".join(self.new_classes[:10]) + (", ..." if len(self.new_classes) > 10 else "")
            said.append(f"New classes: {shown}.")
        if self.copies:
            said.append(
                f"{_count(self.copies, 'picture')} not in {self.folder}: they can be copied into it, to "
                f"{self.source.name}."
            )
        if self.kept:
            said.append(f"{_count(self.kept, 'image')} reviewed already: left alone.")
        if self.missing_count:
            said.append(
                f"{_count(self.missing_count, 'image')} of the file not in {self.folder}: left out, such as "
                f"{', '.join(self.missing[:3])}."
            )
        for what, count in self.left_out.items():
            said.append(f"Left out: {count:,} {what}.")
        said += self.other_size[:MOST_NAMED] + self.problems[:MOST_NAMED]
        hidden = self.broken - len(self.other_size[:MOST_NAMED]) - len(self.problems[:MOST_NAMED])
        if hidden > 0:
            said.append(f"... and {hidden:,} more that are broken.")
        return said


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}es" if noun.endswith("s") else f"{number:,} {noun}s"


class Prepared(Closing):
    """An import that was read and checked, and not taken in yet. A context manager, which forgets it."""

    def __init__(self, summary: Summary, spool: Spool, classes: Sequence[ClassDef], extra: str) -> None:
        self.summary = summary
        self._spool, self._classes, self._extra = spool, tuple(classes), extra

    def close(self) -> None:
        """Forget it."""
        self._spool.close()

    @property
    def batch_id(self) -> str:
        """A name for the batch, by which it can be undone."""
        return f"{BATCH_PREFIX}{self.summary.source.name} {time.time_ns()}"

    def commit(
        self, project: Project, *, reviewed: bool, batch_id: str = "", told: Told = lambda _done: None
    ) -> Imported:
        """Take it in, all of it in one transaction. `told` hears how many images are done; it may raise.

        reviewed: the labels are a person's word, so that an image nobody has touched becomes reviewed.
        """
        media_ids = {(item.path, item.frame): item.id for item in project.media() if not item.missing}
        for path, frame in self._spool.paths():
            if frame and (path, frame) not in media_ids and (path, 0) in media_ids:
                raise DataError(
                    f"{path} has frames that the project has not seen yet: open it once, then import."
                )
        return project.import_images(
            self._spool.rows(media_ids, told),
            {one.id: one for one in self._classes},
            batch_id=batch_id or self.batch_id,
            format_name=self.summary.format,
            extra=self._extra,
            reviewed=reviewed,
        )


def prepare(
    path: Path,
    *,
    images: Path | None = None,
    format_name: str | None = None,
    project: Project | None = None,
    told: Told = lambda _done: None,
    is_canceled: Callable[[], bool] = lambda: False,
) -> Prepared:
    """Read and check label files; nothing is changed.

    images: the folder of pictures; without it the format's usual places are looked through. project: that of
    the folder, where it is open: its sizes are trusted and its reviewed images counted. `told` hears how many
    images have been read.

    Raises DataError where a file as a whole is not as it should be, and CanceledError.
    """
    if project is not None and images is None:
        images = project.folder
    source, format_, folder = locate(path, images=images, format_name=format_name)
    pictures = _pictures(folder, project)
    summary = Summary(format_.name, format_.title, source.path, folder, pictures=len(pictures.names))
    reading = Reading(pictures, wants_rows=True, is_canceled=is_canceled)
    spool = Spool()
    try:
        _read_all(format_, source, reading, spool, summary, told)
        _sum_up(summary, spool, reading, project)
        extra = kept_json(reading.extra, str(source.path)) if reading.extra else ""
    except BaseException:
        spool.close()
        raise
    return Prepared(summary, spool, reading.classes.all, extra)


def locate(
    path: Path, *, images: Path | None = None, format_name: str | None = None
) -> tuple[Source, Format, Path]:
    """The files, their format and the folder of their pictures. Raises DataError where one is not found."""
    source = Source(path)
    format_ = recognise(source) if format_name is None else format_named(format_name)
    if not format_.can_read:
        raise DataError(f"{format_.title} can be written, but not read.")
    folder = (images or folder_of_pictures(source, format_)).resolve()
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}: name the one that holds the pictures.")
    return source, format_, folder


def home_of(folder: Path) -> Path:
    """The folder whose project the pictures of a folder belong to: the nearest above that has one, or it."""
    return next(
        (one for one in (folder, *folder.parents) if (one / PROJECT_DIR / DATABASE_NAME).is_file()), folder
    )


def folder_of_pictures(source: Source, format_: Format) -> Path:
    """Where the pictures lie: in a project above, where the names lead, or in the usual places."""
    base = source.root
    names = format_.first_names(source)
    nearby = [base, base.parent] if not source.is_folder or names else [base]
    usual = [place / name for place in nearby for name in format_.picture_folders]
    around = [base, *_folders_in(base), base.parent, *_folders_in(base.parent)]
    candidates = [one for one in dict.fromkeys((*usual, *around)) if one.is_dir()]
    if names:
        for folder in candidates:
            if any((folder / name).is_file() for name in names if ".." not in name and name[:1] != "/"):
                return home_of(folder.resolve())
    for folder in usual:
        if folder.is_dir():
            return home_of(folder.resolve())
    return home_of(base.resolve())


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))[:200]
    except OSError:
        return []


def _pictures(folder: Path, project: Project | None) -> Pictures:
    if project is None:
        return Pictures(folder, (file.path for file in scan_folder(folder)))
    items = [item for item in project.media() if not item.missing]
    sizes = {item.path: (item.width, item.height) for item in items if item.width and not item.frame}
    return Pictures(folder, dict.fromkeys(item.path for item in items), sizes)


def _read_all(
    format_: Format, source: Source, reading: Reading, spool: Spool, summary: Summary, told: Told
) -> None:
    seen = set[tuple[str, int]]()
    try:
        for image in format_.read(source, reading):
            reading.stop_if_canceled()
            _take(image, reading, spool, summary, seen)
            told(spool.images)
    except RecursionError as e:
        raise DataError(f"{source.path} nests its values too deep to be a label file.") from e
    except MemoryError as e:
        raise DataError(f"{source.path} needs more memory than there is: split it into several files.") from e


def _take(
    image: ReadImage, reading: Reading, spool: Spool, summary: Summary, seen: set[tuple[str, int]]
) -> None:
    found = reading.pictures.find(image.name)
    if found is not None and str(reading.pictures.folder / found[0]) == image.place:
        found = None  # the only picture of that name is the label file itself
    size = reading.pictures.size(found[0]) if found else None
    if found is None or size is None:
        summary.missing_count += 1
        if len(summary.missing) < MOST_NAMED:
            summary.missing.append(shortened(image.name))
        return
    if (image.width, image.height) != size and image.width:
        summary.other_size_count += 1
        if len(summary.other_size) < MOST_NAMED:
            summary.other_size.append(_other_size(image, size))
        return
    if found in seen:
        reading.broken(DataError(f"{image.place} is of a picture that was named before: {found[0]}."))
        return
    seen.add(found)
    names = {one.id: one.name for one in reading.classes.all}
    image = _in_order(with_ids(image, names))
    summary.negatives += image.is_negative
    summary.has_scores = summary.has_scores or image.has_scores
    spool.add(found[0], found[1], image, size)


def _other_size(image: ReadImage, size: tuple[int, int]) -> str:
    turned = (image.height, image.width) == size
    hint = " (the picture is turned by its EXIF orientation)" if turned else ""
    return (
        f"{image.place} is {image.width} x {image.height}, but the picture is {size[0]} x {size[1]}{hint}: "
        "left out."
    )


def _in_order(image: ReadImage) -> ReadImage:
    """Instances one over the other in the order of the file, where it says nothing else."""
    if any(one.z for one in image.instances) or len(image.instances) == 1:
        return image
    return replace(image, instances=tuple(replace(one, z=place) for place, one in enumerate(image.instances)))


def _sum_up(summary: Summary, spool: Spool, reading: Reading, project: Project | None) -> None:
    summary.images, summary.instances = spool.images, spool.instances
    summary.ignore_regions = spool.ignore_regions
    classes = reading.classes.all
    summary.classes = {one.name: spool.by_class.get(one.id, 0) for one in classes}
    known = {one.name for one in project.classes()} if project else set()
    summary.new_classes = tuple(one.name for one in classes if one.name not in known)
    summary.problems, summary.problem_count = reading.problems, reading.problem_count
    summary.left_out = dict(reading.left_out)
    if project is not None:
        states = project.image_states()
        by_path: Mapping[tuple[str, int], int] = {
            (item.path, item.frame): item.id for item in project.media() if not item.missing
        }
        reviewed = {id_ for id_, state in states.items() if state.review is ReviewState.REVIEWED}
        summary.kept = sum(1 for place in spool.paths() if by_path.get(place) in reviewed)
