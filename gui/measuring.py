"""Figures of the shown image's instances, or of the whole project's, kept up to date for a table.

Measures on a thread. Knows the desk and how things are measured; no widget.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.document.records import MediaItem
from engine.errors import MaskwrightError
from engine.measure.figures import Grey
from engine.measure.project import (
    Measured,
    Scales,
    Summary,
    Wanted,
    keep_scale,
    measurable,
    measure_image,
    measure_items,
    write_instances,
    write_summaries,
)
from engine.measure.scale import PIXELS, Scale
from engine.media.image import read_grey
from engine.project import Project
from gui.desk import Desk
from gui.saving import Kept

_SOON_MS = 250


class Scope(Enum):
    """What is measured."""

    IMAGE = "image"
    PROJECT = "project"


class Measuring(QObject):
    """Lives on the GUI thread. Close it, or what is under way goes on to its end."""

    changed = Signal()  # `rows`, `scale` are others
    progressed = Signal(int, int)  # images measured, of how many; equal when it has ended
    failed = Signal(str)  # a sentence
    said = Signal(str)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.scope = Scope.IMAGE
        self.rows: tuple[Measured, ...] = ()
        self.summaries: tuple[Summary, ...] = ()
        self.scale = PIXELS  # of the shown image
        self.file_scale = PIXELS  # what its file states
        self._desk = desk
        self._generation = 0
        self._stop = threading.Event()
        self._grey: tuple[tuple[str, int, str], Grey] | None = None  # of the shown image
        self._soon = QTimer(self, interval=_SOON_MS, singleShot=True)
        self._soon.timeout.connect(self.refresh)
        desk.editor.image_changed.connect(self._on_image)
        desk.editor.edited.connect(self._on_image)
        desk.editor.sight_changed.connect(self._on_image)
        desk.editor.classes_changed.connect(self._on_image)
        desk.project_changed.connect(self._on_project)
        desk.project_closing.connect(self.cancel)

    def set_scope(self, scope: Scope) -> None:
        """Measure the shown image, kept up to date, or the whole project as it is now."""
        if scope is not self.scope:
            self.scope = scope
            self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Measure now."""
        self._soon.stop()
        self.cancel()
        self._generation += 1
        if self.scope is Scope.IMAGE:
            self._measure_image()
        elif self._desk.saving.state.kept is Kept.SAVING:
            self._soon.start()  # the project does not know of the edit yet
        else:
            self._measure_project()

    @Slot()
    def cancel(self) -> None:
        """Stop measuring; what is shown stays."""
        self._stop.set()
        self._stop = threading.Event()

    def close(self) -> None:
        """Measure no more."""
        self._soon.stop()
        self._generation += 1
        self.cancel()

    def keep_scale(self, scale: Scale | None, *, for_image: bool) -> None:
        """Keep how long a pixel is: of the shown image's file, or of the project; None forgets it."""
        project, shown = self._desk.project, self._desk.editor.shown
        if project is None or (for_image and shown is None):
            return
        path = shown.item.path if for_image and shown is not None else ""
        self._desk.background.run(
            lambda: keep_scale(project, scale, path), lambda _none: self.refresh(), self.failed.emit
        )

    def write(self, path: Path) -> None:
        """Write the rows as CSV and, of a project, a line an image beside it."""
        rows, summaries = self.rows, self.summaries

        def work() -> str:
            write_instances(path, rows)
            if not summaries:
                return str(path)
            beside = path.with_name(f"{path.stem} images{path.suffix}")
            write_summaries(beside, summaries)
            return f"{path}, {beside.name}"

        self._desk.background.run(
            work, lambda told: self.said.emit(self.tr("Written: {}").format(told)), self.failed.emit
        )

    # Inside

    @Slot()
    def _on_image(self) -> None:
        if self.scope is Scope.IMAGE:
            self._soon.start()

    @Slot()
    def _on_project(self) -> None:
        self._grey = None
        self.rows, self.summaries = (), ()
        self.changed.emit()
        self._soon.start()

    def _measure_image(self) -> None:
        project, editor = self._desk.project, self._desk.editor
        shown, generation = editor.shown, self._generation
        if project is None or shown is None:
            self.rows, self.summaries, self.scale = (), (), PIXELS
            self.changed.emit()
            return
        item, visible = shown.item, editor.visible
        classes = {one.id: one for one in editor.classes}
        key = (item.path, item.frame, item.content_hash)
        known = self._grey[1] if self._grey is not None and self._grey[0] == key else None

        def work() -> tuple[list[Measured], Grey | None, Scale, Scale]:
            grey = known if known is not None else _grey_of(project, item)
            scales = Scales(project)
            scale = scales.of(item)
            taken = [one for one in visible if one.class_id in classes]
            return measure_image(item, taken, classes, grey, scale), grey, scale, scales.of_file(item)

        def take(found: tuple[list[Measured], Grey | None, Scale, Scale]) -> None:
            if generation != self._generation:
                return
            rows, grey, self.scale, self.file_scale = found
            self._grey = None if grey is None else (key, grey)
            self.rows, self.summaries = tuple(rows), ()
            self.changed.emit()

        self._desk.background.run(work, take, self.failed.emit)

    def _measure_project(self) -> None:
        project, generation, stop = self._desk.project, self._generation, self._stop
        background, threshold = self._desk.background, self._desk.editor.sight.score
        if project is None:
            return

        def tell(done: int, total: int) -> None:
            if generation == self._generation:
                self.progressed.emit(done, total)

        def work() -> tuple[list[Measured], list[Summary]]:
            wanted = Wanted(threshold)
            items = measurable(project, wanted)
            rows: list[Measured] = []
            summaries: list[Summary] = []
            measuring = measure_items(project, items, wanted, Scales(project))
            for done, (summary, found) in enumerate(measuring, start=1):
                rows += found
                summaries.append(summary)
                background.call(_telling(tell, done, len(items)))
                if stop.is_set():
                    measuring.close()
                    break
            return rows, summaries

        def take(found: tuple[list[Measured], list[Summary]]) -> None:
            if generation == self._generation:
                self.rows, self.summaries = tuple(found[0]), tuple(found[1])
                self.progressed.emit(1, 1)
                self.changed.emit()

        def fail(sentence: str) -> None:
            self.progressed.emit(1, 1)
            self.failed.emit(sentence)

        background.run(work, take, fail)


def _telling(tell: Callable[[int, int], None], done: int, total: int) -> Callable[[], None]:
    return lambda: tell(done, total)


def _grey_of(project: Project, item: MediaItem) -> Grey | None:
    try:
        return read_grey(project.path_of(item), item.frame)
    except MaskwrightError:
        return None  # the canvas says why it cannot be read
