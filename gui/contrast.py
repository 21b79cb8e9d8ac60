"""Choosing which samples of a picture of more than 8 bits become black and white: seen at once, then kept.

What is being chosen is a lens before the shown picture, and stays while other images are shown; the project
is told when the person wants it. Knows the desk; no widget.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from engine.document.contrast import AUTOMATIC, Contrast, Way
from engine.document.records import MediaItem
from engine.media.image import read_deep
from engine.media.levels import Levels, levels_of
from engine.media.picture import Samples
from engine.media.tone import limits
from engine.project import Project
from engine.project.contrasts import Contrasts, contrasts_of, keep_contrasts
from gui.canvas.lens import Lens, scales_of
from gui.desk import Desk

_MOST_KEPT = 50


@dataclass(frozen=True, slots=True, eq=False)
class _Deep:
    """A picture's samples at every scale, and what they are like. place: path, frame and content."""

    samples: tuple[Samples, ...]
    bits: int
    levels: Levels | None
    place: tuple[str, int, str]


class Contrasting(QObject):
    """Lives on the GUI thread, as long as somebody chooses. Close it, or the lens stays."""

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.levels: Levels | None = (
            None  # None: the shown picture has no more than 8 bits, or is not read yet
        )
        self.limits = (0.0, 1.0)  # the samples of the shown picture that are black and white now
        self.is_reading = False
        self.kept = Contrasts()
        self._desk = desk
        self._deep: _Deep | None = None
        self._chosen: Contrast | None = None  # None: what is kept
        self._before: list[Contrasts] = []
        self._project: Project | None = None  # whose contrasts `kept` are: nobody else changes them meanwhile
        self._reading = self._looking = 0  # generations: what an older request brings is dropped
        desk.editor.image_changed.connect(self._read)
        desk.project_changed.connect(self._forget)
        self._read()

    @property
    def item(self) -> MediaItem | None:
        """The image that is shown."""
        shown = self._desk.editor.shown
        return shown.item if shown else None

    @property
    def contrast(self) -> Contrast:
        """The one that is seen: being chosen, or kept."""
        return self._chosen or (self.item.contrast if self.item else AUTOMATIC)

    @property
    def can_be_kept(self) -> bool:
        """Whether the project can be told."""
        return self.levels is not None and not self._desk.read_only_reason

    @property
    def can_go_back(self) -> bool:
        """Whether anything was kept since this was opened."""
        return bool(self._before) and not self._desk.read_only_reason

    def choose(self, contrast: Contrast) -> None:
        """See through this one from now on."""
        self._chosen = contrast
        self._look()

    def window(self, low: float, high: float) -> None:
        """See between two samples; the gamma stays. A window of no width is passed over."""
        if low < high:
            self.choose(Contrast(Way.WINDOW, low, high, self.contrast.gamma))

    def drop(self) -> None:
        """See what is kept again."""
        self._chosen = None
        self._look()

    def keep(self, *, for_file: bool) -> None:
        """Have the project see so: the shown file with all its frames, or every picture."""
        item, now = self.item, self.contrast
        if item is None or not self.can_be_kept:
            return
        self._put(self.kept.with_own(item.path, now) if for_file else Contrasts(now))

    def reset(self) -> None:
        """Have every picture seen as the program does by itself."""
        self._chosen = None
        if self.kept != Contrasts():
            self._put(Contrasts())
        else:
            self._look()

    def go_back(self) -> None:
        """Take back what was kept last."""
        if self._before:
            self._chosen = None
            self.kept = self._before.pop()
            self._keep()
            self.changed.emit()

    def close(self) -> None:
        """Choose no more: the picture is seen as the project has it."""
        self._reading += 1
        self._looking += 1
        self._desk.editor.look_through(None)

    def _put(self, contrasts: Contrasts) -> None:
        self._before = [*self._before, self.kept][-_MOST_KEPT:]
        self.kept = contrasts
        self._keep()
        self.changed.emit()

    def _keep(self) -> None:
        kept = self.kept
        self._desk.change(lambda project: keep_contrasts(project, kept))

    @Slot()
    def _forget(self) -> None:
        self._chosen, self._before, self._deep, self._project = None, [], None, None
        self._read()

    @Slot()
    def _read(self) -> None:
        """Get the samples of the image that is shown now."""
        self._reading += 1
        project, item, reading = self._desk.project, self.item, self._reading
        if project is None or item is None:
            self.is_reading, self._deep, self.levels = False, None, None
            self.changed.emit()
            return
        if item.contrast == self._chosen:
            self._chosen = None  # it is kept now
        known = self._deep if self._deep is not None and self._deep.place == _place_of(item) else None
        self.is_reading = known is None

        def read(found: tuple[_Deep | None, Contrasts]) -> None:
            if reading == self._reading:
                self.is_reading, (self._deep, kept) = False, found
                if self._project is not project:
                    self._project, self.kept = project, kept
                self.levels = self._deep.levels if self._deep else None
                self._look()

        def failed(_sentence: str) -> None:
            read((None, self.kept))  # the canvas says why it cannot be read

        self._desk.background.run(
            lambda: (known or _deep_of(project, item), contrasts_of(project)), read, failed
        )

    def _look(self) -> None:
        """Show the picture by the contrast of now."""
        self._looking += 1
        deep, contrast, looking = self._deep, self.contrast, self._looking
        if deep is None:
            self.changed.emit()
        elif contrast.way is Way.WINDOW:
            self._see(deep, contrast, (contrast.low, contrast.high))
        else:

            def found(pair: tuple[float, float]) -> None:
                if looking == self._looking:
                    self._see(deep, contrast, pair)

            self._desk.background.run(lambda: limits(deep.samples[0], deep.bits, contrast), found)

    def _see(self, deep: _Deep, contrast: Contrast, pair: tuple[float, float]) -> None:
        self.limits = pair
        is_kept = self.item is not None and contrast == self.item.contrast
        self._desk.editor.look_through(None if is_kept else Lens(deep.samples, *pair, contrast.gamma))
        self.changed.emit()


def _deep_of(project: Project, item: MediaItem) -> _Deep | None:
    found = read_deep(project.path_of(item), item.frame)
    if found is None:
        return None
    samples, bits = found
    return _Deep(scales_of(samples), bits, levels_of(samples), _place_of(item))


def _place_of(item: MediaItem) -> tuple[str, int, str]:
    return item.path, item.frame, item.content_hash
