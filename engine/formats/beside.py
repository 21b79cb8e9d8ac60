"""Formats that keep a JSON file beside each picture: which files those are, their names, and the loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.errors import DataError
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Format
from engine.formats.source import Source
from engine.formats.writing import ExportImage

_MOST_LOOKED_AT = 16 << 20
_SOME = 30


class FileNames:
    """The name of each picture's label file without suffix: its own, unless another picture has it."""

    def __init__(self) -> None:
        self._taken = set[str]()

    def of(self, image: ExportImage) -> str:
        """The stem; the whole name, suffix and all, where a.png and a.jpg lie side by side."""
        name = image.name + (f"#{image.frame}" if image.frame else "")
        stem = image.stem if not image.frame else f"{image.stem}#{image.frame}"
        if stem.casefold() in self._taken:
            stem = name
        self._taken.add(stem.casefold())
        return stem


class BesideFormat(Format):
    """One JSON file for each picture, in the same folder."""

    def is_label_file(self, head: bytes) -> bool:
        """Whether a file that begins so holds labels of this kind."""
        raise NotImplementedError

    def read_file(self, source: Source, name: str, reading: Reading) -> ReadImage:
        """One label file."""
        raise NotImplementedError

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every JSON file of the folder that is a label file; a file by itself is one."""
        for name in _json_files(source):
            try:
                if not source.is_folder or self.is_label_file(source.head_of(name)):
                    yield self.read_file(source, name, reading)
                else:
                    _leave_out(source, name, reading)
            except DataError as error:
                reading.broken(error)

    def picture_place(self, name: str, part: str) -> str:
        """Beside its file."""
        return f"{part}/{name}" if part else name


def some_heads(source: Source) -> Iterator[bytes]:
    """The beginnings of some JSON files."""
    return (source.head_of(name) for name in _json_files(source)[:_SOME])


def _json_files(source: Source) -> Sequence[str]:
    named = [name for name in source.files if name.lower().endswith(".json")]
    return named if source.is_folder else [source.name]


def _leave_out(source: Source, name: str, reading: Reading) -> None:
    """JSON of another kind is counted; what is no JSON may be a label file that was cut off or overwritten.

    Raises DataError for the latter.
    """
    try:
        if source.place(name).stat().st_size <= _MOST_LOOKED_AT:
            source.read_json(name)
    except OSError as e:
        raise DataError(f"{source.root / name} cannot be read: {e.strerror or e}.") from e
    reading.leave_out("JSON files that hold no labels of this format")
