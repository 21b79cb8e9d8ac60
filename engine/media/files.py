"""Opens files for reading, and says in one sentence why one cannot be read.

Knows paths (long, non-ASCII, of odd kinds) and nothing of what is inside the files. It is the only
place in ``engine.media`` that opens a picture, and it opens for reading only.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from engine.errors import MediaError

_REASONS = {
    errno.ENOENT: "there is no such file (moved or renamed?)",
    errno.ENOTDIR: "there is no such file (moved or renamed?)",
    errno.EACCES: "permission denied; check who may read it",
    errno.EPERM: "permission denied; check who may read it",
    errno.EISDIR: "it is a folder, not a picture",
    errno.ELOOP: "the link leads round in a circle",
    errno.ENAMETOOLONG: "the name is too long for this system",
}


def media_error(path: Path, reason: str) -> MediaError:
    """The error for one file: ``NAME: reason (in FOLDER)``, printable even where the name is not."""
    place = f"{path.name}: {reason} (in {path.parent})"
    return MediaError(place.encode("utf-8", "backslashreplace").decode("utf-8"))


def system_path(path: Path) -> str:
    """The path as the system takes it: on Windows in the form without the limit of 260 characters."""
    return windows_path(os.path.abspath(path)) if os.name == "nt" else os.fspath(path)  # noqa: PTH100


def windows_path(full: str) -> str:
    r"""An absolute Windows path with the prefix that lifts its limit of length (``\\?\`` or ``\\?\UNC\``)."""
    if full.startswith("\\\\?\\"):
        return full
    return "\\\\?\\UNC\\" + full[2:] if full.startswith("\\\\") else "\\\\?\\" + full


def open_for_reading(path: Path) -> BinaryIO:
    """Open a regular file, read-only.

    Raises MediaError for a missing or forbidden file, a folder, and for pipes and devices, which
    could make a reader wait for ever.
    """
    try:
        kind = Path(system_path(path)).stat()
        if stat.S_ISDIR(kind.st_mode):
            raise media_error(path, _REASONS[errno.EISDIR])
        if not stat.S_ISREG(kind.st_mode):
            raise media_error(path, "it is a pipe or a device, not a picture")
        return Path(system_path(path)).open("rb")
    except OSError as e:
        raise media_error(path, reason_of(e)) from e
    except ValueError as e:  # an embedded null character
        raise media_error(path, "the name holds a null character") from e


def reason_of(error: OSError) -> str:
    """Why the system refused, in words a person can act on."""
    known = _REASONS.get(error.errno or 0)
    return known or f"the system cannot read it ({error.strerror or error})"
