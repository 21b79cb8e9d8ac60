"""What a reader of a format is given, and what it gives: images with their records, one at a time.

A reader names classes through `ClassTable`, asks for pictures' sizes through `Pictures`, and hands what is
broken to `Reading.broken` so that every fault of a file is told at once. Knows no format and no project.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from engine.document.records import ClassDef, IgnoreRegion, Instance
from engine.errors import DataError, MaskwrightError, MediaError
from engine.formats.checks import encodable, shortened
from engine.formats.source import safe_name
from engine.media.image import frame_size
from engine.project.bulk import Row
from engine.project.colors import next_color

MOST_PROBLEMS = 100
_LONGEST_CLASS = 200
_LARGEST_ID = 1 << 62
_FRAME = re.compile(r"(.+)#(\d{1,9})$")


class CanceledError(MaskwrightError):
    """The person stopped it; nothing was changed."""


@dataclass(frozen=True, slots=True)
class ReadImage:
    """One image as a label file has it.

    name: the picture's, with `/`, relative to the folder of pictures. place: for messages. width, height: 0
    where the file does not say. An instance of id 0 is given one that depends on its content alone. extra:
    what the format knows of the image and nothing else here does, as JSON has it. reviewed: a person is known
    to have called the image right. rows: instead of instances, where `Reading.wants_rows`: as a project
    stores them, with ids that differ.
    """

    name: str
    place: str
    width: int = 0
    height: int = 0
    instances: tuple[Instance, ...] = ()
    ignore: tuple[IgnoreRegion, ...] = ()
    flags: tuple[str, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
    reviewed: bool = False
    rows: tuple[Row, ...] = ()

    @property
    def is_negative(self) -> bool:
        """Whether it holds nothing."""
        return not (self.instances or self.rows or self.ignore)

    @property
    def has_scores(self) -> bool:
        """Whether an instance has a score."""
        scores = (*(one.score for one in self.instances), *(row[3] for row in self.rows))
        return any(score is not None for score in scores)


class ClassTable:
    """The classes that a label file names, by name and by the file's own id."""

    def __init__(self) -> None:
        self._by_id: dict[int, ClassDef] = {}
        self._by_name: dict[str, ClassDef] = {}

    @property
    def all(self) -> tuple[ClassDef, ...]:
        """In the order in which they were named."""
        return tuple(self._by_id.values())

    def add(
        self,
        name: str,
        place: str,
        *,
        id_: int | None = None,
        keypoints: tuple[str, ...] = (),
        skeleton: tuple[tuple[int, int], ...] = (),
    ) -> ClassDef:
        """Enter a class. Raises DataError where its id or name is taken, or the name is unusable."""
        clean = encodable(name, f"{place}: a class's name").strip()
        if not clean or len(clean) > _LONGEST_CLASS:
            raise DataError(f"{place} names a class with no name, or one over {_LONGEST_CLASS} characters.")
        number = max(self._by_id, default=0) + 1 if id_ is None else id_
        if number in self._by_id or clean in self._by_name:
            raise DataError(
                f"{place} ({number}, '{shortened(clean)}') repeats an id or a name of a class; "
                "they must differ."
            )
        color = next_color(one.color for one in self._by_id.values())
        made = ClassDef(number, clean, color, keypoints, skeleton)
        self._by_id[number] = self._by_name[clean] = made
        return made

    def named(self, name: str, place: str) -> ClassDef:
        """The class of that name, entered where it is new."""
        return self._by_name.get(name.strip()) or self.add(name, place)

    def known(self, id_: int, place: str) -> ClassDef:
        """The class of that id. Raises DataError where there is none."""
        found = self._by_id.get(id_)
        if found is None:
            raise DataError(f"{place} has category {id_}, which the file does not list.")
        return found

    def with_keypoints(self, class_id: int, names: tuple[str, ...]) -> None:
        """Give a class that has none these keypoints."""
        one = self._by_id[class_id]
        if len(one.keypoints) < len(names):
            self._by_id[class_id] = self._by_name[one.name] = replace(one, keypoints=names)


class Pictures:
    """The pictures of one folder, found by the names that label files give them."""

    def __init__(
        self, folder: Path, names: Iterable[str], sizes: Mapping[str, tuple[int, int]] | None = None
    ) -> None:
        self.folder = folder
        self.names = frozenset(names)
        self._sizes = dict(sizes or {})
        self._by_base: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for name in self.names:
            path = PurePosixPath(name)
            self._by_base.setdefault(path.name.casefold(), []).append(name)
            self._by_stem.setdefault(path.stem.casefold(), []).append(name)

    def find(self, name: str) -> tuple[str, int] | None:
        """The picture of a (safe) name and its frame; None where there is none, or several may be meant.

        The very path first; else the only picture of that file name whose path ends alike. `clip.tif#2` is
        frame 2 of `clip.tif`.
        """
        if name in self.names:
            return name, 0
        found = _best(self._by_base.get(PurePosixPath(name).name.casefold(), ()), name)
        if found is not None:
            return found, 0
        paged = _FRAME.match(name)
        if paged and (base := self.find(paged[1])) is not None:
            return base[0], int(paged[2])
        return None

    def of_stem(self, stem: str) -> str | None:
        """The picture whose path without its suffix is, or ends like, `stem`."""
        candidates = self._by_stem.get(PurePosixPath(stem).name.casefold(), ())
        return _best(candidates, stem, without_suffix=True)

    def size(self, name: str) -> tuple[int, int] | None:
        """Width and height of a picture as shown; None where it cannot be read. `name` as `find` gives it."""
        if name not in self._sizes:
            try:
                self._sizes[name] = frame_size(self.folder / name)
            except MediaError:
                self._sizes[name] = (0, 0)
        found = self._sizes[name]
        return found if found[0] else None


def _best(candidates: Iterable[str], name: str, *, without_suffix: bool = False) -> str | None:
    """The candidate that shares most of its last folders with the name; None where two share as many."""

    def parts(path: str) -> list[str]:
        whole = PurePosixPath(path)
        last = whole.stem if without_suffix and path != name else whole.name
        return [last.casefold(), *(part.casefold() for part in reversed(whole.parts[:-1]))]

    wanted = parts(name)
    scored = sorted(((_shared(parts(one), wanted), one) for one in candidates), reverse=True)
    if not scored or (len(scored) > 1 and scored[0][0] == scored[1][0]):
        return None
    return scored[0][1]


def _shared(one: list[str], other: list[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


@dataclass(slots=True)
class Reading:
    """One reading of label files: what is found on the way besides the images.

    strict: the first fault is raised; otherwise faults are gathered and what is broken is left out.
    wants_rows: see `ReadImage`; a format may, and need not.
    """

    pictures: Pictures
    classes: ClassTable = field(default_factory=ClassTable)
    strict: bool = False
    wants_rows: bool = False
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    extra: dict[str, object] = field(default_factory=dict)
    is_canceled: Callable[[], bool] = lambda: False

    def broken(self, error: DataError) -> None:
        """Note a fault of one thing in the file, which is left out. Raises it where reading is strict."""
        if self.strict:
            raise error
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(str(error))

    def stop_if_canceled(self) -> None:
        """Raises CanceledError where the person wants no more of it."""
        if self.is_canceled():
            raise CanceledError("The import was stopped; nothing was changed.")

    def leave_out(self, what: str, count: int = 1) -> None:
        """Note that something which is no fault cannot be kept: `what` is a plural, such as "points"."""
        self.left_out[what] += count

    def size_of(self, name: str, place: str) -> tuple[int, int] | None:
        """The size of a picture whose file says none; None, and noted later as missing, without one."""
        found = self.pictures.find(safe_name(name, place))
        return None if found is None else self.pictures.size(found[0])


def content_id(name: str, one: Instance, number: int) -> int:
    """An id that depends on the image's name and the instance alone, so that a second import adds nothing.

    number: counts instances of one image that are equal.
    """
    mask = one.mask
    shape = "" if mask is None else f"{mask.bbox_xywh}{mask.checksum()}"
    said = f"{name}\t{one.class_id}\t{one.box_xyxy}\t{shape}\t{one.keypoints}\t{one.track_id}\t{number}"
    digest = hashlib.blake2b(said.encode("utf-8", "backslashreplace"), digest_size=8).digest()
    return (int.from_bytes(digest, "little") % (_LARGEST_ID - 1)) + 1


def have_ids(instances: Sequence[Instance], ignore: Sequence[IgnoreRegion]) -> bool:
    """Whether every record of an image has an id that can be kept, and no two the same."""
    there = {one.id for one in instances} | {region.id for region in ignore}
    return len(there) == len(instances) + len(ignore) and all(0 < id_ < _LARGEST_ID for id_ in there)


def with_ids(image: ReadImage, names: Mapping[int, str]) -> ReadImage:
    """The image with an id for every record that has none, or one that cannot be kept or is taken.

    names: of the classes, by id. Ids must differ within one image.
    """
    if have_ids(image.instances, image.ignore):
        return image
    taken: set[int] = set()
    instances = []
    for one in image.instances:
        id_, number = one.id, 0
        while not 0 < id_ < _LARGEST_ID or id_ in taken:
            by_name = f"{image.name}\t{names.get(one.class_id, '')}"
            id_, number = content_id(by_name, replace(one, class_id=0), number), number + 1
        taken.add(id_)
        instances.append(one if id_ == one.id else replace(one, id=id_))
    ignore = []
    for region in image.ignore:
        id_, number = region.id, 0
        while not 0 < id_ < _LARGEST_ID or id_ in taken:
            id_, number = content_id(f"{image.name}\tignore", Instance(0, 0, region.mask), number), number + 1
        taken.add(id_)
        ignore.append(region if id_ == region.id else replace(region, id=id_))
    return replace(image, instances=tuple(instances), ignore=tuple(ignore))
