"""Labels of other tools into the open project and out of it, from the window: read, shown, then taken in.

One thing at a time on a thread of its own, with progress and cancel. Labels that lie beside the pictures of
an opened folder are noticed and offered. Knows the desk and the engine's imports and exports; no widget.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from engine.errors import MaskwrightError
from engine.exchange.exporting import ExportOptions, ExportReport, export
from engine.exchange.importing import BATCH_PREFIX, Prepared, prepare
from engine.exchange.merging import Merge, prepare_merge
from engine.formats.reading import CanceledError
from engine.formats.registry import recognise
from engine.formats.source import Source
from engine.project import Project
from engine.project.bulk import Imported
from gui import counts
from gui.background import Background
from gui.desk import Desk
from gui.mirror import Mirror

T = TypeVar("T")

BESIDE = frozenset({"labelme", "x-anylabeling", "isat", "coco", "yolo-seg", "yolo-detect", "yolo-pose"})
"""Formats whose files lie beside pictures, and are offered when a folder is opened."""

_SECONDS_BETWEEN_WORDS = 1.0


class Exchange(QObject):
    """Lives on the GUI thread."""

    changed = Signal()  # `is_busy`, `prepared` or `offer` is another
    prepared_changed = Signal()  # an import was read and waits for a person's word
    said = Signal(str)  # a sentence for a person

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.prepared: Prepared | None = None
        self.offer = ""  # the title of the format of labels beside the pictures; empty for none
        self.last_batch = ""  # the last import of this start, for undoing it
        self._desk = desk
        self._background = Background(1, "exchange")
        self.mirror = Mirror(desk, self._background)
        self.mirror.said.connect(self.said)
        self.mirror.changed.connect(self.changed)
        self._stop: threading.Event | None = None
        desk.project_changed.connect(self._on_project)
        desk.project_closing.connect(self.stop)

    @property
    def is_busy(self) -> bool:
        """Whether something is read or written."""
        return self._stop is not None

    def read(self, path: Path) -> None:
        """Read label files for the open project; `prepared_changed` follows, or `said`."""
        self._read(self.tr("Reading labels: {:,} images so far"), partial(prepare, path))

    def merge(self, path: Path) -> None:
        """Read another project, a folder or a copy in a file, as `read` does label files."""
        self._read(self.tr("Reading the project: {:,} images so far"), partial(prepare_merge, path))

    def _read(self, words: str, read: Callable[..., Prepared]) -> None:
        project = self._desk.project
        if project is None or self.is_busy:
            return
        self._desk.saving.flush_put_off()
        pace, stop = self._begin(words)

        def work() -> Prepared:
            return read(project=project, told=pace, is_canceled=stop.is_set)

        def done(prepared: Prepared) -> None:
            if self._desk.project is not project:
                prepared.close()
                return
            self.drop()
            self.prepared = prepared
            self.prepared_changed.emit()
            self.changed.emit()

        self._run(work, done)

    def take(self, *, reviewed: bool) -> None:
        """Take in what was read, all of it or nothing."""
        project, prepared = self._desk.project, self.prepared
        if project is None or prepared is None or self.is_busy:
            return
        self.prepared = None
        batch_id = prepared.batch_id
        pace, stop = self._begin(self.tr("Importing: {:,} images so far"))

        def told(done: int) -> None:
            if stop.is_set():
                raise CanceledError("The import was stopped; nothing was changed.")
            pace(done)

        def work() -> Imported:
            with prepared:
                return prepared.commit(project, reviewed=reviewed, batch_id=batch_id, told=told)

        def done(imported: Imported) -> None:
            self.last_batch, self.offer = batch_id, ""
            brought = counts.instances(imported.instances), counts.images(imported.images)
            told = self.tr("Imported: {} on {}.").format(*brought)
            if imported.kept:
                told += " " + self.tr("Reviewed and left alone: {}.").format(counts.images(imported.kept))
            self.said.emit(told)
            self._reload(project)
            if isinstance(prepared, Merge) and self._desk.project is project:
                self._desk.refresh()  # pictures may have come along

        self._run(work, done)

    def drop(self) -> None:
        """Forget what was read."""
        if self.prepared is not None:
            self.prepared.close()
            self.prepared = None
            self.changed.emit()

    @Slot()
    def let_be(self) -> None:
        """Offer the labels beside the pictures no more."""
        self.offer = ""
        self.changed.emit()

    def undo(self) -> None:
        """Take the last import back, but for what a person has touched since."""
        project, batch_id = self._desk.project, self.last_batch
        if project is None or not batch_id.startswith(BATCH_PREFIX) or self.is_busy:
            return
        self._desk.saving.flush_put_off()
        self._begin("")

        def done(count: int) -> None:
            self.last_batch = ""
            self.said.emit(self.tr("The import is undone on {}.").format(counts.images(count)))
            self._reload(project)

        self._run(lambda: project.undo_import(batch_id), done)

    def write(self, options: ExportOptions) -> None:
        """Export the open project; `said` tells what came of it."""
        project = self._desk.project
        if project is None or self.is_busy:
            return
        self._desk.saving.flush_put_off()
        pace, stop = self._begin(self.tr("Exporting: {:,} images so far"))

        def work() -> ExportReport:
            return export(project, options, told=lambda done, _total: pace(done), is_canceled=stop.is_set)

        def done(report: ExportReport) -> None:
            written = counts.instances(report.instances), counts.images(report.images)
            text = self.tr("Exported to {}: {} of {}. {}")
            self.said.emit(text.format(report.out, *written, report.warning).strip())

        self._run(work, done)

    @Slot()
    def stop(self) -> None:
        """Stop what is under way; nothing of it is kept."""
        if self._stop is not None:
            self._stop.set()

    def close(self) -> None:
        """Stop, and end the thread."""
        self.stop()
        self.drop()
        self.mirror.close()
        self._background.close()

    def _begin(self, words: str) -> tuple[Callable[[int], None], threading.Event]:
        stop = self._stop = threading.Event()
        last = time.monotonic()

        def pace(done: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _SECONDS_BETWEEN_WORDS:
                last = now
                self._background.call(lambda: self.said.emit(words.format(done)))

        self.changed.emit()
        return pace, stop

    def _run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        def done(result: T) -> None:
            self._stop = None
            then(result)
            self.changed.emit()

        def failed(sentence: str) -> None:
            self._stop = None
            self.said.emit(sentence)
            self.changed.emit()

        self._background.run(work, done, failed)

    def _reload(self, project: Project) -> None:
        desk = self._desk
        if desk.project is not project:
            return
        desk.reload_classes()
        desk.reload_states()
        if desk.current is not None:
            desk.reload_image(desk.current.id)

    @Slot()
    def _on_project(self) -> None:
        self.drop()
        self.offer, self.last_batch = "", ""
        project = self._desk.project
        if project is not None and not project.read_only:
            self._background.run(lambda: _labels_beside(project), lambda found: self._offer(project, found))
        self.changed.emit()

    def _offer(self, project: Project, title: str) -> None:
        if title and self._desk.project is project:
            self.offer = title
            self.changed.emit()


def _labels_beside(project: Project) -> str:
    """The title of the format of labels in the folder; empty where there are none, or some were taken in."""
    try:
        if project.labelled_media():
            return ""
        found = recognise(Source(project.folder))
    except MaskwrightError:
        return ""
    return found.title if found.name in BESIDE else ""
