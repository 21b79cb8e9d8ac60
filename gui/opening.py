"""What opening a project's folder takes: which folder, which image, and the list of images; on a thread.

Knows the project; no signals, no widgets.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from engine.document.records import ClassDef, ImageState, MediaItem
from engine.media.scan import is_video_name, natural_order
from engine.project import Project
from engine.project.location import DATABASE_NAME, PROJECT_DIR
from engine.project.moving import move_project
from engine.project.restoring import restore_project


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What opening a folder gave; worked out on the thread, for 100,000 images.

    media: the images worth listing, as people count. items: all by id, also frames of videos that somebody
    only looked at.
    """

    project: Project
    media: tuple[MediaItem, ...]
    items: dict[int, MediaItem]
    order: tuple[int, ...]
    places: dict[int, int]
    states: dict[int, ImageState]
    classes: tuple[ClassDef, ...]
    is_known: bool = False


def home_of(path: Path) -> tuple[Path, str | None]:
    """The folder to open for a path, and the image in it to show, as the project names it.

    A file belongs to the nearest folder above it that holds a project, else to its own folder.
    """
    if not path.is_file():
        return path, None
    above = path.resolve()
    home = next((p for p in above.parents if (p / PROJECT_DIR / DATABASE_NAME).is_file()), above.parent)
    return home, above.relative_to(home).as_posix()


def inside_of(folder: Path, paths: Iterable[Path]) -> list[tuple[str, bool]]:
    """The paths that lie in the folder, as its project names them, and whether each is a file."""
    home, found = folder.resolve(), []
    for path in paths:
        with suppress(ValueError):
            found.append((path.resolve().relative_to(home).as_posix(), path.is_file()))
    return found


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder."""
    try:
        return one.resolve() == other.resolve()
    except OSError:
        return False


def open_project(folder: Path, closing: Sequence[threading.Event]) -> Found:
    """Open a folder once these are set, and look through it where it is new. Raises MaskwrightError."""
    for closed in closing:  # or the folder would be found in use by ourselves
        closed.wait()
    project = Project.open(folder)
    try:
        found = read_project(project)
        if found.media:  # a known one is looked through when it is on the screen
            return replace(found, is_known=True)
        if not project.read_only:
            project.refresh()
        return read_project(project)
    except BaseException:
        project.close()
        raise


def move_and_open(folder: Path, to: Path, closing: Sequence[threading.Event]) -> tuple[Found, str]:
    """Move a project once these are set and open it there; also says what is left of it where it was.

    Raises MaskwrightError; the project is where it was then.
    """
    for closed in closing:
        closed.wait()
    problem = move_project(folder, to)
    return _open_and_look(to), problem


def restore_and_open(copy: Path, to: Path, closing: Sequence[threading.Event]) -> tuple[Found, str]:
    """Make a copy of a project that of a folder, once these are set, and open it there; and no problem.

    Raises MaskwrightError; nothing is changed then.
    """
    for closed in closing:
        closed.wait()
    restore_project(copy, to)
    return _open_and_look(to), ""


def _open_and_look(folder: Path) -> Found:
    project = Project.open(folder)
    try:
        if not project.read_only:
            project.refresh()
        return read_project(project)
    except BaseException:
        project.close()
        raise


def read_project(project: Project) -> Found:
    """What the project holds now. Raises ProjectError."""
    with _many_records():
        return _read(project)


def _read(project: Project) -> Found:
    every, blank = project.media(), project.blank_frames()
    media = sorted_items(item for item in every if item.id not in blank or not is_video_name(item.path))
    order = tuple(item.id for item in media)
    places = {media_id: place for place, media_id in enumerate(order)}
    items = {item.id: item for item in every}
    return Found(project, media, items, order, places, project.image_states(), project.classes())


@contextmanager
def _many_records() -> Iterator[None]:
    """No collection of garbage while 100,000 records are made, nor ever of them: none of them is garbage, and
    to look at them all stops every thread, the window's too, for a tenth of a second again and again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def sorted_items(items: Iterable[MediaItem]) -> tuple[MediaItem, ...]:
    """Images as people count, the frames of a file in their order."""
    found = sorted(items, key=attrgetter("frame"))
    return tuple([found[place] for place in natural_order([item.path for item in found])])
