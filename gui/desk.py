"""The desk: the open project, its list of images, and the one that is shown in the editor.

Opens and decodes on threads and swaps image and document in together; `saving` keeps what is edited. Knows
the project and the editor; neither models nor widgets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.document.document import Edit
from engine.document.records import ImageState, MediaItem
from engine.errors import ProjectError
from engine.project import Project
from engine.project.journal import Past
from engine.project.media_index import ScanReport
from gui.background import Background
from gui.counts import counted
from gui.editor import Editor
from gui.listing import Listing
from gui.loading import Loaded, Loader
from gui.opening import (
    Found,
    home_of,
    inside_of,
    is_same,
    open_project,
    read_project,
)
from gui.saving import Kept, Saving

_PAINTED_MS = 30  # what is asked for is painted before anything else is begun

T = TypeVar("T")
AHEAD = (1, 2, -1)
"""Which neighbours of the shown image are made ready before anybody asks."""


class Desk(QObject):
    """Lives on the GUI thread, and so do all its signals."""

    opening = Signal(object)  # Path: this folder is being opened
    project_closing = Signal()  # the project is let go right after this
    project_changed = Signal()  # another project is open, or none
    media_changed = Signal()  # `media` or `order` is another
    current_changed = Signal()  # another image was asked for; the editor gets it when it is decoded
    image_failed = Signal(object, str)  # MediaItem, sentence: the current image cannot be shown
    content_checked = Signal()  # `is_other_content` is another
    item_changed = Signal(int)  # media id: its state or its instances are others
    noticed = Signal(str)  # a sentence worth reading once
    failed = Signal(str)  # a sentence: what was asked for could not be done

    def __init__(self, editor: Editor) -> None:
        super().__init__()
        self.editor = editor
        self.project: Project | None = None
        self.list = Listing()
        self.selected: tuple[int, ...] = ()
        self.files: frozenset[str] = frozenset()  # the list is of these paths only; empty for all
        self.current: MediaItem | None = None
        self.problem = ""  # why the current image cannot be shown
        self.is_other_content = False  # the shown file is not the one that its instances were made for
        self.loader = Loader(lambda: editor.sight)
        self.background = Background(3, "desk")
        self._ahead = Background(1, "ahead")  # by itself: what a person asks for must not wait behind it
        self.saving = Saving(editor, self.background)
        self._opening = 0  # generations: what an older request brings is dropped
        self._showing = 0
        self._is_opening = False
        self._rests = False  # something moves in the image's place
        self.tentative: set[int] = set()  # frames with proposals that are not on record
        self._closing: dict[Project, threading.Event] = {}  # let go and perhaps not closed yet
        self._arriving: set[Project] = set()  # opened on a thread, and not the open one yet
        self.saving.changed.connect(self._pass_problem_on)
        editor.edited.connect(self._on_edit)

    # The project

    @property
    def folder(self) -> Path | None:
        """The folder of the open project."""
        return self.project.folder if self.project else None

    @property
    def is_opening(self) -> bool:
        """Whether a folder is being opened."""
        return self._is_opening

    @property
    def read_only_reason(self) -> str:
        """Why nothing can be changed; empty where it can."""
        return self.project.read_only_reason if self.project else ""

    @property
    def unsaved_problem(self) -> str:
        """Why the project must not be let go now: a sentence, empty where it may."""
        state = self.saving.state
        if state.kept is not Kept.FAILED:
            return ""
        waiting = counted(
            state.waiting,
            self.tr("1 edit is not on the disk yet"),
            self.tr("{} edits are not on the disk yet"),
        )
        return f"{waiting}: {state.problem}"

    def open(self, paths: Sequence[Path], *, lose_unsaved: bool = False) -> bool:
        """Open a folder, or files: their project's folder, the first of them shown, several listed alone.

        Returns at once; `project_changed` or `failed` follows. False, and nothing is done, where edits of
        the open project would be lost, unless `lose_unsaved`.
        """
        if self.unsaved_problem and not lose_unsaved:
            self.failed.emit(self.unsaved_problem)
            return False
        folder, file = home_of(paths[0].absolute())
        inside = inside_of(folder, paths)
        files = frozenset(name for name, is_file in inside if is_file and len(paths) > 1)
        if len(inside) < len(paths):
            self.noticed.emit(self.tr("Only what lies in {} is opened.").format(folder))
        if self.project is not None and is_same(folder, self.project.folder):
            self.list_only(files)
            self.refresh(show=file)
            return True
        self._opening += 1
        self._is_opening = True
        asked = self._opening
        self.opening.emit(folder)
        closing = tuple(event for project, event in self._closing.items() if is_same(folder, project.folder))
        self.background.run(
            lambda: self._arrives(open_project(folder, closing)),
            lambda found: self._opened(asked, found, file, files),
            lambda sentence: self._not_opened(asked, sentence),
        )
        return True

    def open_by(self, to: Path, work: Callable[[Sequence[threading.Event]], tuple[Found, str]]) -> None:
        """Let the open project go and open that of `to`, which `work` makes on a thread.

        work: see `gui.opening`; it is given what to wait for. Where it fails, `failed` says why and the
        project is open that was.
        """
        if self.unsaved_problem:
            self.failed.emit(self.unsaved_problem)
            return
        folder = self.folder
        self._let_go()
        self._opening += 1
        self._is_opening = True
        asked, closing = self._opening, tuple(self._closing.values())
        self.opening.emit(to)

        def made(done: tuple[Found, str]) -> None:
            found, problem = done
            self._opened(asked, found, None, frozenset())
            if problem:
                self.failed.emit(problem)

        def failed(sentence: str) -> None:
            self._not_opened(asked, sentence)
            if asked == self._opening and folder is not None:
                self.open([folder])

        def make() -> tuple[Found, str]:
            found, problem = work(closing)
            return self._arrives(found), problem

        self.background.run(make, made, failed)

    def _arrives(self, found: Found) -> Found:
        self._arriving.add(found.project)
        return found

    def refresh(self, *, show: str | None = None) -> None:
        """Look through the folder again; `show` is the path of the image to show then."""

        def look(project: Project) -> None:
            if not project.read_only:
                project.refresh()

        self.change(look, show=show)

    def change(self, work: Callable[[Project], object], *, show: str | None = None) -> None:
        """Have the project changed on a thread, and take what it holds then; the shown image is shown so."""

        def change(project: Project) -> Found:
            work(project)
            return read_project(project)

        def changed(found: Found) -> None:
            self._take_refreshed(found)
            if show is not None:
                self._show_path(show)

        self._read(change, changed)

    def _look_through(self) -> None:
        """See what became of the folder since a known project was left; the list is there meanwhile."""

        def look(project: Project) -> Found | None:
            is_same = project.read_only or project.refresh() == ScanReport()
            return None if is_same else read_project(project)

        def seen(found: Found | None) -> None:
            if found is not None:
                self._take_refreshed(found)

        self._read(look, seen)

    def _take_refreshed(self, found: Found) -> None:
        before = self.current
        self.loader.forget()
        self._take_media(found)
        if self._rests:
            return
        if self.current is None:
            self._show_first()
        elif self.current != before:
            self.show(self.current.id)  # the file is another, is gone or has come back

    def lend(self, folder: Path) -> AbstractContextManager[Project]:
        """The folder's project for the engine's worker: the open one, which stays open; any thread."""
        project = self.project
        if project is not None and is_same(folder, project.folder):
            return nullcontext(project)
        return Project.open(folder)

    def leave(self) -> None:
        """Let the project go; `project_changed` follows."""
        self._opening += 1
        self._is_opening = False
        self._let_go()
        self.project_changed.emit()

    def close(self) -> None:
        """Write what is queued, let the project go and end the threads: at the program's end."""
        self._let_go()
        for project in self._closing:  # whose turn on the threads will not come
            try:
                project.close()
            except ProjectError as error:
                self.failed.emit(str(error))
        self.background.close()
        for project in self._arriving:
            project.close()
        self._ahead.close()
        self.loader.close()
        self.project_changed.emit()

    def _opened(self, asked: int, found: Found, file: str | None, files: frozenset[str]) -> None:
        self._arriving.discard(found.project)
        if asked != self._opening:
            found.project.close()
            return
        self._is_opening = False
        self._let_go()
        self.project, self.files = found.project, files
        self.saving.follow(found.project)
        self.editor.is_read_only = found.project.read_only
        self.loader.forget()
        self.project_changed.emit()
        self.editor.set_classes(found.classes)
        self._take_media(found)
        for sentence in found.project.notices:
            self.noticed.emit(sentence)
        if not self._rests and (file is None or not self._show_path(file)):
            self._show_first()
        if found.is_known:
            QTimer.singleShot(_PAINTED_MS, self, self._look_through)

    def _not_opened(self, asked: int, sentence: str) -> None:
        if asked == self._opening:
            self._is_opening = False
            self.failed.emit(sentence)
            self.project_changed.emit()

    def _let_go(self) -> None:
        project = self.project
        if project is None:
            return
        self._keep_unfinished()
        self.saving.flush_put_off()
        self.project_closing.emit()
        self.project, self.current, self.problem = None, None, ""
        self._showing += 1
        self.list, self.selected, self.files = Listing(), (), frozenset()
        self.media_changed.emit()
        self.editor.show(None)
        self.editor.set_classes(())
        self._set_other_content(False)
        self.saving.follow(None)
        closed = self._closing[project] = threading.Event()

        def close() -> None:
            try:
                project.close()
            finally:
                closed.set()

        def forget(_none: None) -> None:
            self._closing.pop(project, None)

        self.background.run(close, forget, self.failed.emit)

    # The list

    @property
    def media(self) -> tuple[MediaItem, ...]:
        """The images that are listed, as people count."""
        return self.list.media

    @property
    def order(self) -> tuple[int, ...]:
        """Their ids as the list is sorted and filtered."""
        return self.list.order

    def item(self, media_id: int) -> MediaItem:
        """The image of that id."""
        return self.list.items[media_id]

    def place_of(self, media_id: int) -> int | None:
        """Where an image stands in the list, from 0; None where the list leaves it out."""
        return self.list.places.get(media_id)

    def state_of(self, media_id: int) -> ImageState:
        """What is known of an image as a whole."""
        return self.list.state_of(media_id)

    def path_of(self, item: MediaItem) -> Path:
        """The image's file."""
        assert self.project is not None
        return self.project.path_of(item)

    def set_order(self, ids: Iterable[int]) -> None:
        """Go through the images in this order from now on: that of the list as it is sorted and filtered."""
        self.list.set_order(ids)

    def list_only(self, files: Iterable[str]) -> None:
        """Narrow the list to these paths; none of them for all images."""
        self.files = frozenset(files)
        self.media_changed.emit()

    def set_selected(self, ids: Iterable[int]) -> None:
        """These images are selected in the list."""
        self.selected = tuple(ids)

    def note_states(self, states: Mapping[int, ImageState]) -> None:
        """Take what a batch made of images."""
        self.list.states.update(states)
        for media_id in states:
            self.item_changed.emit(media_id)

    def reload_states(self) -> None:
        """Read the states of all images anew: after a batch was undone."""

        def take(states: dict[int, ImageState]) -> None:
            self.list.states = states
            self.media_changed.emit()

        self._read(Project.image_states, take)

    def reload_classes(self) -> None:
        """Read the project's classes anew: somebody added or changed one."""
        self._read(Project.classes, self.editor.set_classes)

    def _take_media(self, found: Found) -> None:
        self.list = Listing.of(found)
        self.selected = tuple(media_id for media_id in self.selected if media_id in found.items)
        if self.current is not None:
            self.current = found.items.get(self.current.id)
        self.media_changed.emit()

    def lists(self, media_id: int) -> bool:
        """Whether an image is among `media`: a frame of a film is once it has something on record."""
        return self.list.lists(media_id)

    def knows(self, media_id: int) -> bool:
        """Whether this is an image of the project, as far as the desk has read it."""
        return media_id in self.list.items

    def reread(self) -> None:
        """Read the list anew: the engine has made images of frames."""
        self._read(read_project, self._take_media)

    def _read(self, read: Callable[[Project], T], take: Callable[[T], None]) -> None:
        """Read something of the open project on a thread; it is taken unless another is open by then."""
        project = self.project
        if project is not None:
            self.background.run(
                lambda: read(project),
                lambda found: take(found) if self.project is project else None,
                self.failed.emit,
            )

    # The image

    def show_item(self, item: MediaItem) -> None:
        """Show an image that the list may not hold: a frame of a video that nobody has labelled yet."""
        self.list.items.setdefault(item.id, item)
        self.show(item.id)

    def rest(self) -> None:
        """Something moves in the image's place until one is asked for, or `wake`: finish and save."""
        self._rests = True
        self._showing += 1
        self._keep_unfinished()
        self.saving.flush_put_off()
        self.editor.show(None)
        self.saving.set_past(Past())

    def wake(self) -> None:
        """Show an image again: the one before the rest, else the first."""
        self._rests = False
        if self.project is None:
            return
        if self.current is not None:
            self.show(self.current.id)
        else:
            self._show_first()

    def show(self, media_id: int) -> None:
        """Show an image as soon as it is decoded; until then the old one stays and can be edited."""
        item, project = self.list.items.get(media_id), self.project
        if item is None or project is None:
            return
        self._rests = False
        self._showing += 1
        asked, edits = self._showing, self.saving.edits
        level = self.editor.level_for(item.height, item.width)
        if self.current != item:
            self.current = item
            self.current_changed.emit()
        self.background.run(
            lambda: self.loader.load(project, item, level),
            lambda loaded: self._shown(asked, edits, loaded),
            lambda sentence: self._not_shown(asked, item, sentence),
        )

    def step(self, by: int) -> bool:
        """Show the image that many places on in the list; False at its end."""
        return self._go_to(self.list.step(self.current, by))

    def step_to_look_at(self, by: int) -> bool:
        """Show the next (1) or previous (-1) image that is neither reviewed nor put off, going round."""
        return self._go_to(self.list.to_look_at(self.current, by))

    def _go_to(self, media_id: int | None) -> bool:
        if media_id is not None:
            self.show(media_id)
        return media_id is not None

    def neighbours(self, places: Iterable[int] = AHEAD) -> tuple[MediaItem, ...]:
        """The images around the current one that are there, nearest first."""
        return self.list.neighbours(self.current, places)

    def _show_first(self) -> None:
        """The first image that needs a look; else the first."""
        self.current = None
        if not self.step_to_look_at(1) and not self.step(1):
            self.editor.show(None)
            self.current_changed.emit()

    def _show_path(self, path: str) -> bool:
        for item in self.media:
            if item.path == path:
                self.show(item.id)
                return True
        self.noticed.emit(self.tr("{} is not among the pictures of this folder.").format(path))
        return False

    def _shown(self, asked: int, edits: int, loaded: Loaded) -> None:
        project, item = loaded.project, loaded.shown.item
        if asked != self._showing or project is not self.project:
            return
        old = self.editor.shown
        self._keep_unfinished()
        if self.saving.edits != edits and old is not None and old.item.id == item.id:
            self.show(item.id)  # what was loaded does not hold it yet
            return
        self.saving.flush_put_off()
        self.problem = ""
        self.list.items[item.id] = self.current = item
        if loaded.classes != self.editor.classes:
            self.editor.set_classes(loaded.classes)
        self.editor.show(loaded.shown)
        self._set_other_content(loaded.is_other_content)
        self.saving.set_past(loaded.past)
        if loaded.has_more:
            self.reread()
        QTimer.singleShot(_PAINTED_MS, self, self._prepare_neighbours)

    def _prepare_neighbours(self) -> None:
        asked, project, shown = self._showing, self.project, self.editor.shown
        if shown is not None and self.current == shown.item:  # all of a picture that is still coming
            self._ahead.run(
                lambda: shown.pixels,
                lambda _pixels: None,
                lambda sentence: self._not_shown(asked, shown.item, sentence),
            )

        def prepare(item: MediaItem) -> None:
            if project is not None and asked == self._showing:  # else somebody has gone on
                self.loader.prepare(project, item)

        for near in self.neighbours():
            # A picture that cannot be read says so when it is asked for.
            self._ahead.run(partial(prepare, near), lambda _none: None, lambda _sentence: None)

    def _not_shown(self, asked: int, item: MediaItem, sentence: str) -> None:
        if asked != self._showing:
            return
        self._keep_unfinished()
        self.problem = sentence
        self.editor.show(None)
        self._set_other_content(False)
        self.saving.set_past(Past())
        self.image_failed.emit(item, sentence)

    def _keep_unfinished(self) -> None:
        """Finish what the tool is making, such as a polygon, rather than lose it with the image."""
        if self.editor.tool.is_busy and self.editor.shown is not None:
            self.editor.commit()

    def accept_content(self) -> None:
        """The shown image's instances are right for the picture as it is now."""
        project, shown = self.project, self.editor.shown
        if project is None or shown is None:
            return
        media_id = shown.item.id

        def accepted(_none: None) -> None:
            if self.editor.shown is not None and self.editor.shown.item.id == media_id:
                self._set_other_content(False)

        self.background.run(lambda: project.accept_change(media_id), accepted, self.failed.emit)

    def _set_other_content(self, on: bool) -> None:
        if on != self.is_other_content:
            self.is_other_content = on
            self.content_checked.emit()

    # Edits

    def reload_image(self, media_id: int) -> None:
        """The image's instances were changed behind the editor's back: by a batch, or its undoing."""
        if self.current is not None and self.current.id == media_id:
            if self.editor.shown is not None and self.editor.shown.item.id == media_id:
                self.saving.resync()
            elif not self.problem:
                self.show(media_id)
        self.item_changed.emit(media_id)

    @Slot(object)
    def _on_edit(self, _edit: Edit) -> None:
        shown = self.editor.shown
        if shown is not None:
            self.list.states[shown.item.id] = shown.document.state
            if not self.list.lists(shown.item.id) and shown.item.id not in self.tentative:
                self.list_frame(shown.item)
            self.item_changed.emit(shown.item.id)

    def list_frame(self, item: MediaItem) -> None:
        """A frame has something on record now: it belongs into the list."""
        self.list.add(item)
        self.media_changed.emit()

    @Slot()
    def _pass_problem_on(self) -> None:
        state = self.saving.state
        if state.kept is Kept.FAILED and state.problem != self._told_problem:
            self.failed.emit(self.unsaved_problem)
        self._told_problem = state.problem

    _told_problem = ""
