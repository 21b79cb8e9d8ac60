"""A camera in the window: its newest frame with what the model finds in it, freezing, snapshots.

Frames are pictures only; a snapshot becomes an image of the open project, with its proposals. Of the frames
that the model could look at only the newest waits for its turn. Knows desk and bridge; no widget.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.document.records import ClassDef, Instance
from engine.errors import MaskwrightError
from engine.media.frame_files import write_new_png
from engine.media.live import Camera, Source, Stage, Status
from engine.media.picture import Rgb
from engine.messages import Failed, LabelFolder, OrderId, Predicted, PredictPixels, Priority
from engine.overlay import draw
from engine.prediction import Prediction
from engine.project.colors import next_color
from engine.proposing import proposals as instances_of
from engine.refilter import Thresholds, refilter
from gui.bridge import Bridge
from gui.desk import Desk
from gui.proposals import Proposals

_TICK_MS = 8
_STATUS_MS = 250


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What the model found in a frame, by the thresholds of then."""

    instances: Sequence[Instance]
    classes: dict[int, ClassDef]


class Live(QObject):
    """Lives on the GUI thread."""

    changed = Signal()  # what the properties say is another
    moving = Signal(object)  # H x W x 3 uint8: show this, until an image is shown
    failed = Signal(str)  # a sentence
    said = Signal(str)

    def __init__(self, desk: Desk, bridge: Bridge, proposals: Proposals) -> None:
        super().__init__()
        self.status = Status()
        self.is_frozen = False
        self.looks = True
        self.behind: float | None = None  # seconds from a frame to what was found in it
        self._told_behind: float | None = None
        self._desk, self._bridge, self._proposals = desk, bridge, proposals
        self._camera: Camera | None = None
        self._frame: Rgb | None = None
        self._is_aside = False  # something else is on the screen
        self._is_drawn = False  # whether the newest frame with the newest finding is on its way to the screen
        self._drawing = False
        self._found: _Found | None = None
        self._order: OrderId | None = None
        self._asked: tuple[Rgb, float] | None = None  # the frame that the model looks at, and since when
        self._looked_at: Rgb | None = None
        self._labelling: set[OrderId] = set()
        self._tick = QTimer(self, interval=_TICK_MS)
        self._tick.timeout.connect(self._on_tick)
        self._tell = QTimer(self, interval=_STATUS_MS)
        self._tell.timeout.connect(self._on_status)
        desk.editor.image_changed.connect(self._on_image)
        desk.project_changed.connect(self._show_again)
        bridge.predicted.connect(self._on_predicted)
        bridge.ended.connect(self._on_ended)

    @property
    def source(self) -> Source | None:
        """The camera that is open."""
        return self._camera.source if self._camera else None

    @property
    def is_seen(self) -> bool:
        """Whether a frame of it is on the screen."""
        return self._frame is not None and not self._is_aside

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of its frames, once there is one."""
        return None if self._frame is None else (self._frame.shape[1], self._frame.shape[0])

    # What a person does

    def open(self, source: Source) -> None:
        """Show a camera from now on; the one before is let go."""
        self.close()
        self._camera = Camera(source)
        self.status, self.is_frozen, self.behind = Status(), False, None
        self._come_forward()
        self._tick.start()
        self._tell.start()
        self.changed.emit()

    def close(self) -> None:
        """Let the camera go, and show the image that was shown before."""
        if self._let_go(0.0) is not None and not self._is_aside:
            self._desk.wake()
        self.changed.emit()

    def stop(self) -> None:
        """End its thread: at the program's end."""
        self._let_go(1.0)

    def _let_go(self, seconds: float) -> Camera | None:
        camera, self._camera = self._camera, None
        self._tick.stop()
        self._tell.stop()
        self._frame = self._found = self._looked_at = self._asked = None
        if camera is not None:
            camera.close(seconds)
        if self._order is not None:
            self._bridge.cancel(self._order)
        return camera

    def freeze(self) -> None:
        """Keep the frame that is seen on the screen; the camera goes on unseen."""
        if self._camera is not None and not self.is_frozen:
            self.is_frozen = True
            self.changed.emit()

    def go_on(self) -> None:
        """Show the newest frames again."""
        if self._camera is not None and self.is_frozen:
            self.is_frozen = False
            self._come_forward()
            self.changed.emit()

    def _come_forward(self) -> None:
        self._desk.rest()
        self._is_aside = self._is_drawn = False

    def toggle(self) -> None:
        """Freeze, or go on."""
        if self.is_frozen:
            self.go_on()
        else:
            self.freeze()

    def set_looks(self, on: bool) -> None:
        """Have the model look at frames, or show them as they are."""
        self.looks, self._found, self._is_drawn, self.behind = on, None, False, None
        self._looked_at = None
        self.changed.emit()

    def snapshot(self, folder: Path) -> None:
        """Keep the frame that is seen as a picture of its own in a folder.

        In the open project it becomes an image, with proposals where the model looks.
        """
        frame, source = self._frame, self.source
        if frame is None or source is None:
            return
        stem = f"camera {datetime.now().astimezone():%Y-%m-%d %H-%M-%S}"
        self._desk.background.run(
            lambda: write_new_png(folder, stem, frame), self._on_written, self.failed.emit
        )

    def _on_written(self, file: Path) -> None:
        self.said.emit(self.tr("Snapshot: {}").format(file.name))
        project = self._desk.project
        if project is None or not file.is_relative_to(project.folder):
            return
        self._desk.refresh()
        if not self.looks or project.read_only:
            return
        name = file.relative_to(project.folder).as_posix()
        try:
            order = self._bridge.submit(
                LabelFolder(project.folder, self._proposals.choice, only=(name,)), Priority.AHEAD
            )
        except MaskwrightError as error:
            self.failed.emit(str(error))
        else:
            self._labelling.add(order)

    # Frames

    @Slot()
    def _on_tick(self) -> None:
        camera = self._camera
        if camera is None:
            return
        if not self.is_frozen:
            newest = camera.take()
            if newest is not None:
                if self._frame is None:
                    self._on_status()
                self._frame, self._is_drawn = newest, False
        self._look()
        self._show()

    def _show(self) -> None:
        """Put the newest frame on the screen, what was found drawn in on a thread."""
        frame, found = self._frame, self._found
        if frame is None or self._is_drawn or self._drawing or self._is_aside:
            return
        self._is_drawn = True
        if found is None or not found.instances:
            self.moving.emit(frame)
            return
        self._drawing = True

        def drawn(pixels: Rgb) -> None:
            self._drawing = False
            if self._camera is not None and not self._is_aside:
                self.moving.emit(pixels)

        self._desk.background.run(lambda: draw(frame, found.instances, found.classes), drawn)

    @Slot()
    def _on_image(self) -> None:
        if self._desk.editor.shown is not None:
            self.step_aside()

    @Slot()
    def step_aside(self) -> None:
        """Something else is on the screen, such as an image; `go_on` brings the camera back."""
        if self._camera is not None and not self._is_aside:
            self._is_aside = True
            self.freeze()

    @Slot()
    def _show_again(self) -> None:
        self._is_drawn = False

    @Slot()
    def _on_status(self) -> None:
        camera = self._camera
        if camera is None:
            return
        before, self.status = self.status, camera.status
        if self.status.stage is Stage.FAILED:
            sentence = self.status.sentence
            self.close()
            self.failed.emit(sentence)
            return
        if (self.status, self.behind) != (before, self._told_behind):
            self._told_behind = self.behind
            self.changed.emit()

    # What the model finds

    def _look(self) -> None:
        """Have the model look at the newest frame, if it looks at none now."""
        frame = self._frame
        if (
            not self.looks
            or frame is None
            or frame is self._looked_at
            or self._order is not None
            or not self._bridge.is_ready
            or self._is_aside
        ):
            return
        self._looked_at = frame
        try:
            self._order = self._bridge.submit(PredictPixels(frame, self._proposals.choice), Priority.SHOWN)
        except MaskwrightError as error:
            self.set_looks(False)
            self.failed.emit(str(error))
        else:
            self._asked = (frame, time.monotonic())

    @Slot(object)
    def _on_predicted(self, event: Predicted) -> None:
        asked = self._asked
        if event.order != self._order or asked is None:
            return
        thresholds, classes = self._proposals.thresholds, self._desk.editor.classes

        def found(result: _Found) -> None:
            if self.looks and self._camera is not None:
                self._found, self._is_drawn = result, False
                self.behind = time.monotonic() - asked[1]

        self._desk.background.run(lambda: _found_in(event.prediction, thresholds, classes), found)

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        if event.order == self._order:
            self._order = self._asked = None
            if isinstance(event, Failed) and self._camera is not None:
                self.set_looks(False)
                self.failed.emit(event.message)
        elif event.order in self._labelling:
            self._labelling.discard(event.order)
            if isinstance(event, Failed):
                self.failed.emit(event.message)
            self._desk.reread()


def _found_in(prediction: Prediction, thresholds: Thresholds, classes: Sequence[ClassDef]) -> _Found:
    """The instances that pass the thresholds; a class that the project has not gets a colour of its own."""
    known = {one.name: one for one in classes}
    for name in prediction.classes:
        if name not in known:
            color = next_color(one.color for one in known.values())
            known[name] = ClassDef(-len(known) - 1, name, color)
    shown = refilter(prediction, thresholds)
    made = instances_of(shown, lambda name: known[name].id, thresholds.mask_cutoff)
    return _Found([one for one in made if one is not None], {one.id: one for one in known.values()})
