"""The formats: each a class under `@register` in a file of its own, known by what its files hold.

A format says as data what it can hold (`Holds`), recognises its own files by content, reads them image by
image and writes them. This module knows none of them by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from enum import Flag, auto
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.errors import DataError
from engine.formats.reading import ReadImage, Reading
from engine.formats.source import Source

if TYPE_CHECKING:
    from engine.formats.writing import Export


_NAMES = 20  # of pictures, enough to find their folder by


class Holds(Flag):
    """What a format can keep of instances and images, beside their classes."""

    MASKS = auto()  # pixels, with holes and parts: exactly
    OVERLAP = auto()  # a pixel may belong to several instances
    BOXES = auto()  # an instance known by its box alone
    KEYPOINTS = auto()
    TRACKS = auto()
    ATTRIBUTES = auto()
    IDS = auto()
    SCORES = auto()
    IGNORE = auto()  # ignore regions
    NEGATIVES = auto()  # an image that holds nothing, apart from one that nobody labelled
    FLAGS = auto()  # of images
    RINGS = auto()  # polygons as they came
    UNKNOWN = auto()  # what another tool wrote and this one does not know


class Format:
    """A format of label files. `name` is for the command line, `title` for people."""

    name = ""
    title = ""
    holds = Holds(0)
    picture_folders: tuple[str, ...] = ()
    """Folders beside or below its files in which it keeps pictures."""
    can_read = True
    can_write = True
    has_classes = True
    has_polygons = False
    """Whether masks may also be written as polygons, for programs that read nothing else."""

    writes_runs = False
    """Whether it writes masks as runs, so that no bitmap need be made of those that are stored."""

    def sniff(self, source: Source) -> bool:
        """Whether these files are of this format, by their content."""
        raise NotImplementedError

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Image by image. Raises DataError for a file that is not as it should be as a whole."""
        raise NotImplementedError

    def write(self, export: Export) -> None:
        """Write all parts of the export."""
        raise NotImplementedError

    def first_names(self, source: Source) -> Sequence[str]:  # noqa: ARG002 - for formats that know better
        """Some names of pictures in the file, to find their folder by; none where it does not name any."""
        return ()

    def picture_place(self, name: str, part: str) -> str:
        """Where a copy of a picture goes, relative to the export's folder. part: of a split, or empty."""
        return f"images/{part}/{name}" if part else f"images/{name}"


class FileFormat(Format):
    """A format whose files hold many images each: found by their content, read one file after the other."""

    def files_of(self, source: Source) -> Sequence[str]:
        """The files of this format, relative to the root."""
        raise NotImplementedError

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """The images of one file."""
        raise NotImplementedError

    def names_in(self, path: Path) -> Iterator[str]:  # noqa: ARG002 - as `first_names`
        """The names of a file's pictures, of as many as somebody asks for."""
        return iter(())

    def sniff(self, source: Source) -> bool:
        """Whether there is such a file."""
        return bool(self.files_of(source))

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """The images of all such files; of the file itself where a person says that it is one."""
        for name in self.files_of(source) or source.itself:
            yield from self.read_file(source, name, reading)

    def first_names(self, source: Source) -> Sequence[str]:
        """Those of the first file."""
        files = self.files_of(source)
        return list(islice(self.names_in(source.place(files[0])), _NAMES)) if files else ()


_ZIP = b"PK\x03\x04"

F = TypeVar("F", bound=type[Format])
_FORMATS: dict[str, Format] = {}


def register(cls: F) -> F:
    """Decorator of a format's class. Raises ValueError for a taken name."""
    if cls.name in _FORMATS:
        raise ValueError(f"there is a format {cls.name!r} already")
    _FORMATS[cls.name] = cls()
    return cls


def formats() -> dict[str, Format]:
    """Every format by name, in the order of their titles."""
    import engine.formats as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_FORMATS.items(), key=lambda pair: pair[1].title.casefold()))


def format_named(name: str) -> Format:
    """The format of that name. Raises DataError, naming all, where there is none."""
    found = formats().get(name)
    if found is None:
        raise DataError(f"There is no format called '{name}'; there are {', '.join(formats())}.")
    return found


def recognise(source: Source) -> Format:
    """The format of these files, by their content. Raises DataError where none, or several, may be meant."""
    found = [one for one in formats().values() if one.can_read and one.sniff(source)]
    if len(found) == 1:
        return found[0]
    if source.head.startswith(_ZIP):
        raise DataError(f"{source.path} is an archive: unpack it, and name the folder or the file in it.")
    if not found:
        raise DataError(
            f"{source.path} is of no format that is known: name one with --format, such as "
            f"{', '.join(list(formats())[:4])}."
        )
    names = ", ".join(one.name for one in found)
    raise DataError(f"{source.path} may be one of several formats ({names}): name it with --format.")
