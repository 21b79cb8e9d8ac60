"""A project's labels as files of another format: what is written, split how, and what was lost on the way.

Images are read one at a time; files are whole before any of them stands in its place. Proposals are left out
unless asked for. Pictures are never written, and copied only where that is asked for. Knows projects, and the
formats by their registry.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from engine.document.records import (
    IMAGE_STATE_ID,
    ClassDef,
    IgnoreRegion,
    ImageState,
    Instance,
    MediaItem,
    Record,
    ReviewState,
)
from engine.errors import DataError, MediaError
from engine.exchange.splitting import Shares, split
from engine.formats.reading import CanceledError
from engine.formats.registry import Format, Holds, format_named
from engine.formats.writing import Export, ExportImage, Losses, Out, Part
from engine.media.image import frame_size
from engine.project import Project
from engine.project.bulk import KnownImage


class Which(StrEnum):
    """Which images an export is of."""

    LABELLED = "labelled"  # reviewed, or with an instance that is no mere proposal
    REVIEWED = "reviewed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to export. exact: refuse rather than change a pixel. threshold: of proposals that are wanted.

    classes: names, None for all. shares: None for no split. group: see `engine.exchange.splitting.group_of`.
    """

    format_name: str
    out: Path
    exact: bool = False
    polygons: bool = False
    proposals: bool = False
    threshold: float = 0.0
    which: Which = Which.LABELLED
    classes: tuple[str, ...] | None = None
    shares: Shares | None = None
    seed: int = 0
    group: str = ""
    copy_pictures: bool = False
    overwrite: bool = False


@dataclass(slots=True)
class ExportReport:
    """What was written. warning: one sentence on what the format could not hold, empty for nothing."""

    format: str
    out: Path
    images: int = 0
    instances: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    files: int = 0
    proposals_left_out: int = 0
    warning: str = ""
    losses: dict[str, int] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def export(
    project: Project,
    options: ExportOptions,
    *,
    told: Callable[[int, int], None] = lambda _done, _total: None,
    is_canceled: Callable[[], bool] = lambda: False,
) -> ExportReport:
    """Write a project's labels. `told` hears how many images are done, and of how many.

    Raises DataError where something cannot be written, the format cannot hold it and `exact` is set, or
    files are in the way; CanceledError. Then nothing has been written.
    """
    format_ = format_named(options.format_name)
    if not format_.can_write:
        raise DataError(f"{format_.title} can be read, but not written.")
    work = _Work(project, format_, options, told, is_canceled)
    _check_place(project, options)
    out = Out(options.out.absolute())
    try:
        report = work.write(out)
        out.finish(overwrite=options.overwrite)
    except OSError as e:
        raise DataError(f"{options.out} cannot be written: {e.strerror or e}.") from e
    finally:
        out.drop()
    return report


def _check_place(project: Project, options: ExportOptions) -> None:
    out = options.out.absolute()
    if out.is_file():
        raise DataError(f"{out} is a file: name a folder.")
    if out.is_dir() and any(out.iterdir()) and not options.overwrite:
        raise DataError(
            f"{out} is not empty: choose another folder, or say that files in it may be replaced."
        )
    if out.resolve() == project.database.parent.resolve():
        raise DataError(f"{out} holds the project itself: choose another folder.")


class _Work:
    """One export on its way."""

    def __init__(
        self,
        project: Project,
        format_: Format,
        options: ExportOptions,
        told: Callable[[int, int], None],
        is_canceled: Callable[[], bool],
    ) -> None:
        self._project, self._format, self._options = project, format_, options
        self._told, self._is_canceled = told, is_canceled
        self._losses = Losses()
        self._report = ExportReport(format_.name, options.out)
        self._extra = project.foreign_extra(format_.name)
        own = project.classes()
        wanted = [one for one in own if options.classes is None or one.name in options.classes]
        self._check_classes(own)
        self._classes = _numbered(wanted, self._extra)
        self._class_of = {before.id: after for before, after in zip(wanted, self._classes, strict=True)}
        self._reviewed = project.labelled_media(proposals=options.proposals)
        self.items: Mapping[int, MediaItem] = {
            item.id: item for item in project.media() if self._is_wanted(item) and not item.missing
        }
        self._names = _names(self.items.values())
        self._counted = set[int]()

    def write(self, out: Out) -> ExportReport:
        parts = self._parts()
        readers = tuple(Part(name, self._reader(ids)) for name, ids in parts.items())
        made = self.export(readers, out, polygons=self._options.polygons)
        if not self.items:
            raise DataError(
                f"No image of {self._project.folder} is labelled yet: there is nothing to export."
            )
        self._format.write(made)
        self._refuse_if_exact()
        if self._options.copy_pictures:
            self._copy_pictures(parts, out)
        report, losses = self._report, self._losses
        report.files = len(out.written)
        report.parts = {name: len(ids) for name, ids in parts.items()} if self._options.shares else {}
        report.warning = losses.sentence(self._format.title)
        report.losses = dict(losses.pixels + losses.others)
        self._check_pictures(out)
        return report

    def export(self, parts: tuple[Part, ...], out: Out, *, polygons: bool) -> Export:
        """What the writer is given."""
        copies = self._options.copy_pictures
        return Export(tuple(self._classes), parts, out, self._losses, polygons, self._extra, copies)

    def _check_classes(self, own: Sequence[ClassDef]) -> None:
        unknown = sorted(set(self._options.classes or ()) - {one.name for one in own})
        if unknown:
            raise DataError(f"The project has no class called '{unknown[0]}': check the name.")

    def _is_wanted(self, item: MediaItem) -> bool:
        match self._options.which:
            case Which.ALL:
                return True
            case Which.REVIEWED:
                return self._reviewed.get(item.id, False)
            case Which.LABELLED:
                return item.id in self._reviewed

    def _parts(self) -> dict[str, list[int]]:
        ids = list(self.items)
        if self._options.shares is None:
            return {"": ids}
        survey = self._project.survey(ids)
        of_item: dict[int, list[int]] = {}
        for place, class_id in zip(survey.image.tolist(), survey.class_ids.tolist(), strict=True):
            of_item.setdefault(int(survey.media_ids[place]), []).append(class_id)
        by_name = {self._names[id_]: of_item.get(id_, []) for id_ in ids}
        placed = split(by_name, self._options.shares, seed=self._options.seed, group_rule=self._options.group)
        parts: dict[str, list[int]] = {name: [] for name, _ in self._options.shares.parts}
        for id_ in ids:
            parts[placed[self._names[id_]]].append(id_)
        return parts

    def _reader(self, ids: Sequence[int]) -> Callable[[], Iterator[ExportImage]]:
        def read() -> Iterator[ExportImage]:
            found = self._project.read_many(ids, self._format.name, packed=self._format.writes_runs)
            for known in found:
                if self._is_canceled():
                    raise CanceledError("The export was stopped; nothing was written.")
                image = self.image(self.items[known.media_id], known)
                if image is not None:
                    yield image

        return read

    def image(self, item: MediaItem, known: KnownImage) -> ExportImage | None:
        """One image as the writer takes it; None where nothing of it is to be written."""
        records = known.records
        size = (item.width, item.height) if item.width else self._size(item)
        if size is None:
            return None
        first = item.id not in self._counted
        self._counted.add(item.id)
        state = records.get(IMAGE_STATE_ID)
        assert isinstance(state, ImageState)
        kept = tuple(self._instances(records.values(), first=first))
        regions = tuple(one for one in records.values() if isinstance(one, IgnoreRegion))
        whole = self._options.which is Which.ALL or state.review is ReviewState.REVIEWED
        if not kept and not regions and not whole:
            return None
        image = ExportImage(
            self._names[item.id],
            self._project.path_of(item),
            *size,
            kept,
            regions,
            state.flags,
            item.frame,
            known.extra,
        )
        if not first:
            return fitted(image, self._format.holds, Losses())
        self._report.images += 1
        kept_of_it = fitted(image, self._format.holds, self._losses)
        self._report.instances += len(kept_of_it.instances)
        self._told(len(self._counted), len(self.items))
        return kept_of_it

    def _instances(self, records: Iterable[Record], *, first: bool) -> list[Instance]:
        found = [one for one in records if isinstance(one, Instance)]
        kept = []
        for one in sorted(found, key=lambda one: (one.z, one.id)):
            if one.provenance.is_proposal:
                shown = one.score is None or one.score >= self._options.threshold
                if not self._options.proposals or not shown:
                    self._report.proposals_left_out += first
                    continue
            if one.class_id in self._class_of:
                number = self._class_of[one.class_id].id
                kept.append(one if one.class_id == number else replace(one, class_id=number))
        return kept

    def _size(self, item: MediaItem) -> tuple[int, int] | None:
        path = self._project.path_of(item)
        try:
            return frame_size(path, item.frame)
        except MediaError as error:
            self._report.unreadable.append(str(error))
            return None

    def _refuse_if_exact(self) -> None:
        if self._options.exact and self._losses.pixels:
            said = self._losses.sentence(self._format.title)
            raise DataError(f"{said} Nothing was written, since it was to be exact.")

    def _copy_pictures(self, parts: Mapping[str, Sequence[int]], out: Out) -> None:
        done = set[str]()
        for part, ids in parts.items():
            for id_ in ids:
                item = self.items[id_]
                if item.path in done or id_ not in self._counted:
                    continue
                done.add(item.path)
                place = out.place(self._format.picture_place(item.path, part))
                shutil.copyfile(self._project.path_of(item), place)

    def _check_pictures(self, out: Out) -> None:
        """Image files are never written, not even by a label file of the same name."""
        for name in out.written:
            place = (out.target / name).resolve()
            if place.is_relative_to(self._project.folder):
                inside = place.relative_to(self._project.folder).as_posix()
                if any(item.path == inside for item in self.items.values()):
                    raise DataError(f"{place} is a picture of the project: choose another folder.")


class Gathering:
    """The labelled images of a project as the writer of a format takes them, any of them at any time."""

    def __init__(self, project: Project, format_: Format) -> None:
        self.format = format_
        self._project = project
        options = ExportOptions(format_.name, project.folder)
        self._work = _Work(project, format_, options, lambda _done, _total: None, lambda: False)

    @property
    def items(self) -> Mapping[int, MediaItem]:
        """Every labelled image, by its id."""
        return self._work.items

    def export(self, parts: tuple[Part, ...], *, polygons: bool) -> Export:
        """What the writer is given, but for a folder: nothing is written with it."""
        return self._work.export(parts, Out(self._project.folder / ""), polygons=polygons)

    def images(self, ids: Sequence[int]) -> Iterator[tuple[int, ExportImage | None]]:
        """Some of the images; None for one without an instance, or whose picture cannot be read."""
        for known in self._project.read_many(ids, self.format.name, packed=self.format.writes_runs):
            yield known.media_id, self._work.image(self.items[known.media_id], known)


def _numbered(classes: Sequence[ClassDef], extra: Mapping[str, object]) -> list[ClassDef]:
    """The classes under small numbers: those of the file they came from where they had one, else from 1."""
    kept = extra.get("categories")
    taken, numbered = set[int](), dict[str, int]()
    for one in classes:
        said = kept.get(one.name) if isinstance(kept, dict) else None
        id_ = said.get("id") if isinstance(said, dict) else None
        if isinstance(id_, int) and id_ not in taken:
            numbered[one.name] = id_
            taken.add(id_)
    free = (number for number in range(1, len(classes) + len(taken) + 2) if number not in taken)
    return [replace(one, id=numbered.get(one.name) or next(free)) for one in classes]


def _names(items: Iterable[MediaItem]) -> dict[int, str]:
    """The name of each image in files: its path, with `#` and its frame where that is not the first."""
    return {item.id: item.path if not item.frame else f"{item.path}#{item.frame}" for item in items}


def fitted(image: ExportImage, holds: Holds, losses: Losses) -> ExportImage:
    """The image without what the format has no place for, which is counted."""
    instances = []
    for one in image.instances:
        fitted = _fitted_instance(one, holds, losses)
        if fitted is not None:
            instances.append(fitted)
    ignore = image.ignore
    if ignore and Holds.IGNORE not in holds:
        losses.dropped("ignore regions are left out", len(ignore))
        ignore = ()
    flags = image.flags
    if flags and Holds.FLAGS not in holds:
        losses.dropped("flags of images are left out", len(flags))
        flags = ()
    if not instances and not ignore and Holds.NEGATIVES not in holds:
        losses.dropped("images that hold nothing cannot be told from unlabelled ones")
    return replace(image, instances=tuple(instances), ignore=ignore, flags=flags)


def _fitted_instance(one: Instance, holds: Holds, losses: Losses) -> Instance | None:
    if one.mask is None and Holds.BOXES not in holds and not (one.keypoints and Holds.KEYPOINTS in holds):
        losses.changed("instances known by a box alone are left out")
        return None
    if one.mask is not None and Holds.MASKS not in holds:
        losses.changed("masks become boxes")
        one = replace(one, box_xyxy=one.bounds_xyxy, mask=None, rings=())
    if one.keypoints and Holds.KEYPOINTS not in holds:
        losses.dropped("keypoints of instances are left out")
        one = replace(one, keypoints=())
    if one.track_id is not None and Holds.TRACKS not in holds:
        losses.dropped("tracks of instances are left out")
        one = replace(one, track_id=None)
    if one.attributes and Holds.ATTRIBUTES not in holds:
        # What another format wrote and this one does not know is not missed here.
        if any(":" not in name for name, _ in one.attributes):
            losses.dropped("attributes of instances are left out")
        one = replace(one, attributes=())
    if one.score is not None and Holds.SCORES not in holds:
        losses.dropped("scores of instances are left out")
        one = replace(one, score=None)
    return one
