"""Finds the pictures and videos under a folder and tells files apart by content.

Knows names, sizes, times and hashes; never looks inside a picture.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.media.files import media_error, open_for_reading, reason_of, system_path

_log = logging.getLogger(__name__)

#: Suffixes (lower case) that `scan_folder` takes for pictures; what a file is, its content decides.
IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".apng",
    ".tif",
    ".tiff",
    ".bmp",
    ".dib",
    ".webp",
    ".gif",
)

#: Suffixes (lower case) that `scan_folder` takes for videos.
VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".ts",
    ".mts",
    ".m2ts",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".flv",
    ".3gp",
    ".ogv",
)

_SYNC, _PACKET = 0x47, 188  # ISO 13818-1: each packet of a transport stream begins with this byte
_BLOCK = 1 << 20
_NUMBER = re.compile(r"([0-9]+)")
_LOWEST = frozenset("\0\1")  # stand for what sorts lowest; a name that holds one is compared part by part
_DIGITS = bytes.maketrans(b"123456789", b"000000000")


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """One picture file as the folder lists it.

    ``path`` is relative to the scanned folder with ``/`` between its parts on every system, ``size``
    is in bytes, ``mtime_ns`` is the time of the last change in nanoseconds since 1970.
    """

    path: str
    size: int
    mtime_ns: int


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for a picture: by its suffix, and not hidden (``._a.jpg``)."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def is_video_name(name: str) -> bool:
    """Whether a file of this name (or path) is taken for a video, each of its frames for a picture."""
    return name.lower().endswith(VIDEO_SUFFIXES) and not name.rpartition("/")[2].startswith(".")


def natural_key(path: str) -> tuple[list[str | int], str]:
    """Sort key for relative paths as people count: ``img2`` before ``img10``, whatever the case."""
    # "/" becomes the lowest character, so that what is in "a" comes before "a b".
    parts: list[str | int] = list(_NUMBER.split(path.casefold().replace("/", "\0")))
    parts[1::2] = map(int, parts[1::2])
    return parts, path


def natural_order(paths: Sequence[str]) -> list[int]:
    """The places of relative paths, sorted by `natural_key`; 100,000 names of one pattern take 50 ms."""
    joined = "\n".join(paths)
    folded = joined.casefold()
    if joined.count("\n") != len(paths) - 1 or not _LOWEST.isdisjoint(folded):
        return sorted(range(len(paths)), key=[natural_key(path) for path in paths].__getitem__)
    if len(set(folded.encode().translate(_DIGITS).split(b"\n"))) > 1:
        # Numbers of as many digits each are ordered as text is, below all that may stand in their place.
        width = max(map(len, _NUMBER.findall(folded)), default=0)
        folded = _NUMBER.sub(lambda found: "\0" + found[0].zfill(width), folded.replace("/", "\1"))
    order = sorted(range(len(paths)), key=paths.__getitem__)
    return sorted(order, key=folded.split("\n").__getitem__)


def scan_folder(folder: Path) -> tuple[ScannedFile, ...]:
    """Every picture and video under a folder, at any depth, in natural order.

    Hidden files and folders (a leading dot, so also ``.maskwright``) are left out. Links to folders are
    followed, each real folder is listed once, and a link to a folder that holds the scanned one is not
    followed. A subfolder or a name that cannot be read is logged and left out.

    Raises MediaError where the folder itself cannot be listed.
    """
    found = list(_walk(Path(folder)))
    return tuple(found[place] for place in natural_order([file.path for file in found]))


def content_hash(path: Path) -> str:
    """SHA-256 of the file's bytes as 64 hexadecimal digits, read as a stream. Raises MediaError."""
    with open_for_reading(path) as file:
        try:
            digest = hashlib.sha256()
            while block := file.read(_BLOCK):
                digest.update(block)
            return digest.hexdigest()
        except OSError as e:
            raise media_error(path, reason_of(e)) from e


def _walk(root: Path) -> Iterator[ScannedFile]:
    top = system_path(root)
    real_top = os.path.realpath(top)
    seen: set[str] = set()
    # Real folders come first, so that a picture reached both ways is named by its own folder.
    folders, links = [""], list[str]()
    while folders or links:
        prefix = (folders or links).pop()
        place = os.path.join(top, prefix)  # noqa: PTH118 - 100,000 files; Path would dominate
        target = os.path.realpath(place)
        if target in seen or _is_above(target, real_top):
            continue
        seen.add(target)
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = f"{prefix}{entry.name}"
                    if is_image_name(entry.name) or is_video_name(entry.name):
                        file = _stat_file(entry, path)
                        if file is not None:
                            yield file
                            continue
                    if _is_folder(entry):
                        (links if entry.is_symlink() else folders).append(f"{path}/")
        except OSError as e:
            if not prefix:
                raise media_error(root, f"the folder cannot be listed: {reason_of(e)}") from e
            _log.warning("left out the folder %s: %s", prefix, reason_of(e))


def _stat_file(entry: os.DirEntry[str], path: str) -> ScannedFile | None:
    """The regular file behind an entry; None, logged where it deserves a word, for anything else."""
    try:
        path.encode()
        if not entry.is_file():
            return None
        status = entry.stat()
        if path.lower().endswith(".ts") and not _is_transport_stream(entry):
            return None
    except UnicodeEncodeError:
        _log.warning("left out %r: its name is not valid Unicode; rename it", path)
        return None
    except OSError as e:  # a link in a circle, or a file that vanished meanwhile
        _log.warning("left out %s: %s", path, reason_of(e))
        return None
    return ScannedFile(path, status.st_size, status.st_mtime_ns)


def _is_transport_stream(entry: os.DirEntry[str]) -> bool:
    """Whether a ``.ts`` file is a video: TypeScript has the same suffix."""
    with Path(entry.path).open("rb") as file:
        head = file.read(_PACKET + 1)
    return len(head) > _PACKET and head[0] == head[_PACKET] == _SYNC


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_above(folder: str, other: str) -> bool:
    """Whether ``folder`` holds ``other`` somewhere below it; both are real paths."""
    return other.startswith(os.path.join(folder, "")) and other != folder  # noqa: PTH118
