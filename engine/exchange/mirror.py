"""Label files beside the pictures, kept as the project has them: for people who keep labels in git.

A pass compares what the project's journal has seen with what was written last, and writes the files that are
others now: each whole before it stands in its place, in a fixed order, so that a diff shows what was edited.
A file that somebody else wrote, or changed since, is left alone and named until a person decides. What was
written is noted in the project before it is written, so that no crash makes a file look like another's. Knows
projects and two formats; no window.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import cast

from engine.document.records import MediaItem
from engine.exchange.exporting import Gathering
from engine.files import replacing
from engine.formats import coco_writing
from engine.formats.labelme import Labelme
from engine.formats.registry import format_named
from engine.formats.writing import ExportImage, Part, json_text
from engine.project import Project

_KIND = "mirror"
_PREFIX = "mirror:"
_CLASSES = "mirror classes"
WHOLE = "annotations.json"
"""The file of all images, where the mirror is COCO's."""
_OF_ALL = 0
_TOGETHER = 200  # files that are noted in one transaction


class MirrorKind(StrEnum):
    """Which files are kept beside the pictures."""

    OFF = ""
    LABELME = "labelme"
    COCO = "coco"


@dataclass(slots=True)
class Outcome:
    """What a pass did. conflicts: files that are another's, by their path in the folder, left alone.

    problem: a sentence on what could not be written, empty for nothing; the next pass tries again.
    """

    written: int = 0
    removed: int = 0
    conflicts: tuple[str, ...] = ()
    problem: str = ""

    @property
    def sentence(self) -> str:
        """What a person must know; empty for nothing."""
        if self.problem:
            return self.problem
        if not self.conflicts:
            return ""
        shown = ", ".join(self.conflicts[:3]) + (", ..." if len(self.conflicts) > 3 else "")
        many = f"{len(self.conflicts):,} label files" if len(self.conflicts) > 1 else "1 label file"
        return f"{many} beside the pictures not written here, or changed since: left alone ({shown})."


@dataclass(frozen=True, slots=True)
class _Noted:
    """What is known of a file: where it is, the digests it may have, and the edits that it holds.

    digests: of what was written last, and of what stood there before that.
    """

    path: str
    digests: tuple[str, ...] = ()
    stamp: int = 0

    def text(self) -> str:
        return json.dumps([self.path, self.digests, self.stamp], separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> _Noted:
        path, digests, stamp = json.loads(text)
        return cls(str(path), tuple(digests), int(stamp))


def mirror_kind(project: Project) -> MirrorKind:
    """Which files the project keeps beside its pictures."""
    said = project.notes(_KIND).get(_KIND, "")
    return MirrorKind(said) if said in tuple(MirrorKind) else MirrorKind.OFF


def choose_mirror(project: Project, kind: MirrorKind) -> None:
    """Keep such files from the next pass on; what was written as another kind stays where it is."""
    if kind is not mirror_kind(project):
        project.note(dict.fromkeys(project.notes(_PREFIX)) | {_CLASSES: None})
    project.note({_KIND: kind.value or None})


@dataclass(slots=True)
class Pass:
    """One going through of what must be written.

    overwrite: paths that may be replaced whoever wrote them. is_stopped: asked between files.
    """

    project: Project
    overwrite: Collection[str] = ()
    is_stopped: Callable[[], bool] = lambda: False
    _outcome: Outcome = field(default_factory=Outcome)
    _conflicts: list[str] = field(default_factory=list)
    _notes: dict[str, str | None] = field(default_factory=dict)
    _waiting: list[tuple[Path, bytes]] = field(default_factory=list)

    def run(self) -> Outcome:
        """Bring the files up to date. What the disk refuses is told in the outcome."""
        try:
            match mirror_kind(self.project):
                case MirrorKind.LABELME:
                    self._labelme()
                case MirrorKind.COCO:
                    self._coco()
                case MirrorKind.OFF:
                    pass
        except OSError as e:
            place = e.filename2 or e.filename or self.project.folder
            self._outcome.problem = (
                f"The labels beside the pictures are not up to date: {place} cannot be written "
                f"({e.strerror or e}). It is tried again."
            )
        self._outcome.conflicts = tuple(self._conflicts)
        return self._outcome

    # A file an image

    def _labelme(self) -> None:
        project = self.project
        classes, stamps = _stamp_of_classes(project), project.last_edits()
        notes = project.notes(_PREFIX)
        known = {int(key.removeprefix(_PREFIX)): _Noted.of(text) for key, text in notes.items()}
        gathering = Gathering(project, format_named("labelme"))
        names = file_names(project.media())
        same_classes = project.notes(_CLASSES).get(_CLASSES) == classes
        wanted = {id_: stamps.get(id_, 0) for id_ in gathering.items}

        def is_late(id_: int) -> bool:
            noted = known.get(id_)
            return noted is None or not same_classes or (noted.stamp, noted.path) != (wanted[id_], names[id_])

        late = [id_ for id_ in wanted if is_late(id_)]
        taken = {names[id_] for id_ in wanted}
        export = gathering.export((), polygons=False)
        labelme = cast(Labelme, gathering.format)
        done = set[int]()
        for id_, image in gathering.images(late):
            if self.is_stopped():
                break
            done.add(id_)
            if image is None:
                continue
            data = json_text(labelme.document(image, export), indent=2).encode()
            self._put(id_, names[id_], data, known.get(id_), wanted[id_])
        self._flush()
        for id_, noted in known.items():
            if id_ not in wanted or (id_ in done and noted.path != names[id_]):
                self._drop(id_, noted, taken)
        self._flush()
        if not self.is_stopped() and not same_classes:
            project.note({_CLASSES: classes})

    # One file of all

    def _coco(self) -> None:
        project = self.project
        stamps = project.last_edits()
        # Of all images at once: any edit, undoing and change of the classes makes it another.
        digest = hashlib.blake2b(repr((sorted(stamps.items()), _stamp_of_classes(project))).encode())
        stamp = int.from_bytes(digest.digest()[:7], "little")
        note = project.notes(_PREFIX).get(f"{_PREFIX}{_OF_ALL}")
        known = _Noted.of(note) if note else None
        if known is not None and known.stamp == stamp:
            return
        gathering = Gathering(project, format_named("coco"))
        ids = sorted(gathering.items, key=lambda id_: (gathering.items[id_].path, gathering.items[id_].frame))

        def images() -> Iterable[ExportImage]:
            for id_, image in gathering.images(ids):
                if self.is_stopped():
                    raise _StoppedError
                if image is not None:
                    # An image keeps its number however many others come, so that lines stay as they are.
                    yield replace(image, extra={"id": id_, **image.extra})

        export = gathering.export((Part("", lambda: iter(images())),), polygons=False)
        stream = io.StringIO()
        try:
            coco_writing.write_stream(
                stream, export.parts[0], export.classes, export.losses, polygons=False, extra=export.extra
            )
        except _StoppedError:
            return
        self._put(_OF_ALL, WHOLE, stream.getvalue().encode(), known, stamp)
        self._flush()

    # Files

    def _put(self, id_: int, name: str, data: bytes, known: _Noted | None, stamp: int) -> None:
        place, digest = self.project.folder / name, _digest(data)
        there = _content(place)
        before = _digest(there) if there is not None else ""
        is_ours = known is not None and known.path == name and before in known.digests
        if there is not None and before != digest and not is_ours and name not in self.overwrite:
            self._conflicts.append(name)
            return
        self._notes[f"{_PREFIX}{id_}"] = _Noted(name, (digest, before) if before else (digest,), stamp).text()
        if before != digest:
            self._waiting.append((place, data))
        if len(self._notes) >= _TOGETHER:
            self._flush()

    def _drop(self, id_: int, known: _Noted, taken: Collection[str]) -> None:
        """An image that is not labelled any more, or whose file has another name, has no file of ours."""
        place = self.project.folder / known.path
        there = _content(place)
        if there is not None and known.path not in taken and _digest(there) in known.digests:
            place.unlink()
            self._outcome.removed += 1
        self._notes.setdefault(f"{_PREFIX}{id_}", None)

    def _flush(self) -> None:
        """Note what will be written, then write it."""
        if self._notes:
            self.project.note(self._notes)
            self._notes = {}
        for place, data in self._waiting:
            with replacing(place) as part:
                part.write_bytes(data)
            self._outcome.written += 1
        self._waiting = []


class _StoppedError(Exception):
    """The pass is to end; nothing of it is kept."""


def file_names(items: Sequence[MediaItem]) -> dict[int, str]:
    """The labelme file of each image: that of its picture's stem; the whole name where two would share it."""
    stems = {item.id: _stem(item, PurePosixPath(item.path).with_suffix("")) for item in items}
    count: dict[str, int] = {}
    for stem in stems.values():
        count[stem.casefold()] = count.get(stem.casefold(), 0) + 1
    return {
        item.id: f"{stems[item.id] if count[stems[item.id].casefold()] == 1 else _stem(item, item.path)}.json"
        for item in items
    }


def _stem(item: MediaItem, path: PurePosixPath | str) -> str:
    return f"{path}#{item.frame}" if item.frame else str(path)


def _stamp_of_classes(project: Project) -> str:
    return json.dumps([[one.id, one.name, list(one.keypoints)] for one in project.classes()])


def _content(place: Path) -> bytes | None:
    """What stands in a place; None where there is nothing. A link is another's, whatever it leads to."""
    if place.is_symlink():
        return b"a link: " + os.fsencode(place.readlink())
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
