"""What a person points at, read safely: one label file, or a folder of them.

Nothing outside the folder is read: names that are absolute or climb out of it are refused, and so are
links that lead out. Sizes, counts and depths are limited before anything is decoded. Knows JSON, XML, PNG
and text; no format.
"""

from __future__ import annotations

import io
import json
import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeTree
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DataError
from engine.formats.checks import MAX_PIXELS, encodable, shortened
from engine.media.files import system_path

MAX_BYTES = 8 << 30
MAX_SMALL = 512 << 20
MAX_FILES = 1_000_000
MAX_DEPTH = 8
MAX_PNG_PIXELS = 300_000_000
_MAX_XML_DEPTH = 50
_HEAD = 1 << 16
_DRIVE = re.compile(r"[A-Za-z]:")

_PNG_ERRORS = (
    OSError, ValueError, SyntaxError, TypeError, IndexError, KeyError, EOFError, OverflowError, RuntimeError,
    MemoryError, AttributeError, zlib.error,
)  # fmt: skip


def safe_name(name: str, place: str) -> str:
    """A picture's or file's name as a path below a folder, with `/` between its parts.

    Raises DataError for one that is absolute, climbs out, or is no name at all.
    """
    plain = encodable(name, f"{place}: a file's name").replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if plain.startswith("/") or _DRIVE.match(plain):
        raise DataError(
            f"{place} names '{shortened(name)}', an absolute path: only files in the folder are read."
        )
    if ".." in parts:
        raise DataError(
            f"{place} names '{shortened(name)}', outside the folder: only files in the folder are read."
        )
    if not parts:
        raise DataError(f"{place} gives a file no name.")
    return "/".join(parts)


class Source:
    """A label file or a folder of them. `root` is the folder that nothing is read outside of."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.is_folder = self.path.is_dir()
        if not self.is_folder and not self.path.is_file():
            raise DataError(f"There is no file or folder called {path}: check the name.")
        self.root = self.path if self.is_folder else self.path.parent
        self._real_root = os.path.realpath(self.root)

    @property
    def name(self) -> str:
        """The file's or folder's own name."""
        return self.path.name

    @property
    def itself(self) -> tuple[str]:
        """The file's own name, where a person says what it is. Raises DataError for a folder."""
        if self.is_folder:
            raise DataError(f"{self.path} holds no file of this format: name the file itself.")
        return (self.path.name,)

    @cached_property
    def head(self) -> bytes:
        """The first bytes of the file; empty for a folder."""
        return b"" if self.is_folder else self.start_of(self.path)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every file below the folder, sorted, relative with `/`; a single file stands alone."""
        if not self.is_folder:
            return (self.path.name,)
        return tuple(sorted(self._walk()))

    def place(self, relative: str) -> Path:
        """A file below the root. Raises DataError where a link leads out of the root."""
        path = self.root / relative
        real = os.path.realpath(path)
        if real != self._real_root and not real.startswith(os.path.join(self._real_root, "")):  # noqa: PTH118
            raise DataError(f"{path} leads out of {self.root} by a link: only files in the folder are read.")
        return path

    def has(self, relative: str) -> bool:
        """Whether there is such a file, inside the root."""
        try:
            return self.place(relative).is_file()
        except DataError:
            return False

    def start_of(self, path: Path) -> bytes:
        """The first 64 KiB of a file."""
        with opened(path) as file:
            return file.read(_HEAD)

    def head_of(self, relative: str) -> bytes:
        """The first 64 KiB of a file below the root; empty where it cannot be read."""
        try:
            return self.start_of(self.place(relative))
        except DataError:
            return b""

    def files_that(self, begin: Callable[[bytes], bool], ending: str) -> list[str]:
        """The files of an ending whose first 64 KiB pass. ending: such as ".json"."""
        return [name for name in self.files if name.lower().endswith(ending) and begin(self.head_of(name))]

    def read_bytes(self, relative: str, limit: int = MAX_SMALL) -> bytes:
        """A whole file of at most `limit` bytes."""
        return read_bytes(self.place(relative), limit)

    def read_text(self, relative: str) -> str:
        """A whole text file in UTF-8."""
        place = self.place(relative)
        try:
            return read_bytes(place, MAX_SMALL).decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise DataError(f"{place} is not text in UTF-8 (at byte {e.start}): save it as UTF-8.") from e

    def read_json(self, relative: str) -> object:
        """A whole JSON file."""
        return read_json(self.place(relative))

    def read_labels(self, relative: str, size: tuple[int, int] | None = None) -> NDArray[np.int64]:
        """The numbers in a label PNG; see `read_labels`."""
        return read_labels(self.place(relative), size)

    def _walk(self) -> Iterator[str]:
        folders, count = [("", 0)], 0
        while folders:
            prefix, depth = folders.pop()
            try:
                entries = sorted(os.scandir(self.root / prefix), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth < MAX_DEPTH:
                        folders.append((f"{prefix}{entry.name}/", depth + 1))
                    continue
                count += 1
                if count > MAX_FILES:
                    raise DataError(
                        f"{self.root} holds more than {MAX_FILES:,} files: name a smaller folder."
                    )
                yield f"{prefix}{entry.name}"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file for reading; DataError in one sentence for whatever the system says."""
    try:
        if not path.is_file():
            raise DataError(f"{path} is not there, or no file: check the name.")
        with Path(system_path(path)).open("rb") as file:
            yield file
    except OSError as e:
        raise DataError(f"{path} cannot be read: {e.strerror or e}.") from e


def read_bytes(path: Path, limit: int = MAX_SMALL) -> bytes:
    """A whole file of at most `limit` bytes."""
    with opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise DataError(f"{path} is larger than {limit >> 20} MiB: split it into several files.")
    return data


def read_json(path: Path) -> object:
    """A whole JSON file. Raises DataError for what is no JSON, nests too deep, or names a key twice."""
    return parse_json(read_bytes(path), str(path))


def parse_json(data: bytes | str, place: str) -> object:
    """JSON text as Python has it. Raises DataError as `read_json`."""
    try:
        if isinstance(data, bytes):
            data = data.decode("utf-8-sig")
        return cast(object, json.loads(data, object_pairs_hook=_unique(place)))
    except RecursionError as e:
        raise DataError(f"{place} nests its values too deep to be a label file.") from e
    except UnicodeDecodeError as e:
        raise DataError(f"{place} is not valid JSON (not UTF-8 at byte {e.start}).") from e
    except ValueError as e:
        raise DataError(f"{place} is not valid JSON ({shortened(str(e))}).") from e


def _unique(place: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen = set[str]()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise DataError(f"{place} has the key '{shortened(twice)}' twice in one object.")
        return found

    return unique


def read_xml(path: Path) -> Element:
    """A whole XML file's root. Raises DataError; entities and document types are refused."""
    *_, (_, root) = _xml_events(path)
    return root


def xml_elements(path: Path, tags: frozenset[str]) -> Iterator[Element]:
    """The elements directly below the root that have one of these tags, one at a time, each whole."""
    depth, root = 0, None
    for event, element in _xml_events(path):
        if event == "start":
            depth += 1
            root = element if root is None else root
            continue
        depth -= 1
        if depth == 1:
            if element.tag in tags:
                yield element
            if root is not None:
                root.clear()  # what was read is let go


def _xml_events(path: Path) -> Iterator[tuple[str, Element]]:
    depth = 0
    try:
        with opened(path) as file:
            if path.stat().st_size > MAX_BYTES:
                raise DataError(f"{path} is larger than {MAX_BYTES >> 30} GiB: split it into several files.")
            for event, element in SafeTree.iterparse(file, events=("start", "end"), forbid_dtd=True):
                depth += 1 if event == "start" else -1
                if depth > _MAX_XML_DEPTH:
                    raise DataError(f"{path} nests its elements too deep to be a label file.")
                yield event, element
    except DefusedXmlException as e:
        raise DataError(
            f"{path} declares a document type or entities, which no label file needs: remove them."
        ) from e
    except (ParseError, ValueError, LookupError) as e:
        raise DataError(f"{path} is not valid XML ({shortened(str(e))}).") from e


def read_labels(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.int64]:
    """The numbers in a label PNG: H x W int64; a palette's indices, an RGB picture's R + 256 G + 65536 B.

    size: width and height that it must have, checked before a pixel is decoded. Raises DataError.
    """
    return parse_labels(read_bytes(path), str(path), size)


def parse_labels(
    data: bytes,
    place: str,
    size: tuple[int, int] | None = None,
    *,
    at_most: tuple[int, int] | None = None,
) -> NDArray[np.int64]:
    """`read_labels` of a PNG in memory. at_most: width and height it may not exceed, checked as early."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
                if size is not None and picture.size != size:
                    raise DataError(
                        f"{place} is {picture.width} x {picture.height} pixels, but its picture is "
                        f"{size[0]} x {size[1]}."
                    )
                if at_most is not None and (picture.width > at_most[0] or picture.height > at_most[1]):
                    raise DataError(f"{place} is larger than its image.")
                if picture.width * picture.height > min(MAX_PNG_PIXELS, MAX_PIXELS):
                    raise DataError(f"{place} has {picture.width} x {picture.height} pixels: too many.")
                return _numbers(picture, place)
    except Image.DecompressionBombError as e:
        raise DataError(f"{place} has too many pixels for a picture of labels.") from e
    except _PNG_ERRORS as e:
        raise DataError(f"{place} is not a PNG that can be read ({shortened(str(e))}).") from e


def _numbers(picture: Image.Image, place: str) -> NDArray[np.int64]:
    if picture.mode in ("RGB", "RGBA"):
        channels = np.asarray(picture).astype(np.int64)
        return np.asarray(channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2])
    if picture.mode in ("1", "L", "P", "I", "I;16", "I;16B"):
        return np.asarray(picture).astype(np.int64)
    if picture.mode in ("LA", "PA"):
        return np.asarray(picture)[..., 0].astype(np.int64)
    raise DataError(f"{place} is a PNG of the kind {picture.mode}, which holds no labels.")
