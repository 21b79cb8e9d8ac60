"""Frames of a file written as pictures of their own, when somebody asks for that.

Knows how such files are named; the file itself is only read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import cv2

from engine.document.contrast import AUTOMATIC, Contrast
from engine.errors import MediaError
from engine.files import replacing
from engine.media.files import system_path
from engine.media.image import read_rgb
from engine.media.picture import Rgb


def frame_name(path: Path, frame: int) -> str:
    """The name of a frame as a file of its own: ``clip_000012.png``."""
    return f"{path.stem}_{frame:06d}.png"


def export_frames(
    path: Path, frames: Sequence[int], folder: Path, contrast: Contrast = AUTOMATIC
) -> Iterator[int]:
    """Write frames of a file as PNG into a folder, and yield how many are there, one by one.

    One that is there already is left as it is, so that a second call goes on where the first was left.
    Raises MediaError.
    """
    for count, frame in enumerate(frames, start=1):
        target = folder / frame_name(path, frame)
        if not target.exists():
            write_png(target, cv2.cvtColor(read_rgb(path, frame, contrast), cv2.COLOR_RGB2BGR))
        yield count


def write_new_png(folder: Path, stem: str, rgb: Rgb) -> Path:
    """Write a picture (H x W x 3) as a file of its own that was not there, and return its path.

    Named after `stem`, with a number behind it where that is taken. Raises MediaError.
    """
    _, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    for number in itertools.count(1):
        target = folder / (f"{stem}.png" if number == 1 else f"{stem} {number}.png")
        try:
            with Path(system_path(target)).open("xb") as file:  # fails where somebody else was first
                try:
                    file.write(encoded.tobytes())
                except OSError:
                    with suppress(OSError):
                        target.unlink()
                    raise
        except FileExistsError:
            continue
        except OSError as e:
            raise MediaError(f"{target} cannot be written ({e.strerror or e}): choose another folder.") from e
        return target
    raise AssertionError("there is always a next number")


def write_png(target: Path, bgr: cv2.typing.MatLike) -> None:
    """Write a picture (H x W x 3, blue first) as PNG; the file is whole or not there. Raises MediaError."""
    try:
        with replacing(target) as part:
            _, encoded = cv2.imencode(".png", bgr)
            Path(system_path(part)).write_bytes(encoded.tobytes())
    except OSError as e:
        raise MediaError(f"{target} cannot be written ({e.strerror or e}): choose another folder.") from e
