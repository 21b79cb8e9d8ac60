"""How a model comes to its answer for the shown image: asked for while somebody looks at it, and how it is
looked at.

Follows the editor's image and selection and the model in use; changes neither. Knows no widget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.document.contrast import Contrast
from engine.errors import MaskwrightError
from engine.explanation import Explanation, finder_of
from engine.messages import Explain, Explained, Failed, ModelChoice, OrderId, Priority
from gui.bridge import Bridge
from gui.desk import Desk
from gui.layers import Look
from gui.proposals import Proposals

_SOON_MS = 200  # somebody who leafs through images does not want each one explained

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """An explanation with its picture as the network sees it: H x W x 3 uint8 RGB."""

    explanation: Explanation
    picture: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which image is to be explained, as it is seen, and by which model."""

    media_id: int
    contrast: Contrast
    choice: ModelChoice


class Explaining(QObject):
    """Lives on the GUI thread. Close it when nobody looks any more."""

    changed = Signal()  # `shown`, `is_looking` or `problem` are others
    look_changed = Signal()  # `look` or `missed` is another

    def __init__(self, desk: Desk, bridge: Bridge, proposals: Proposals) -> None:
        super().__init__()
        self.shown: Shown | None = None
        self.problem = ""  # a sentence: why there is no explanation
        self.look = Look()
        self.missed: Box | None = None  # of the selected instance, where the model did not find it
        self._desk, self._bridge, self._proposals = desk, bridge, proposals
        self._wanted: _Wanted | None = None
        self._order: OrderId | None = None
        self._generation = 0
        self._soon = QTimer(self, interval=_SOON_MS, singleShot=True)
        self._soon.timeout.connect(self._ask)
        desk.editor.image_changed.connect(self._follow_image)
        desk.editor.selection_changed.connect(self._follow_selection)
        proposals.changed.connect(self._follow_image)
        bridge.explained.connect(self._on_explained)
        bridge.ended.connect(self._on_ended)

    @property
    def is_looking(self) -> bool:
        """Whether an explanation is on its way."""
        return self.shown is None and self._wanted is not None and not self.problem

    def see(self, look: Look) -> None:
        """Look at it in another way."""
        if look != self.look:
            self.look = look
            self.look_changed.emit()

    def choose(self, candidate: int | None) -> None:
        """Tell the story of a candidate of the second stage, or of none."""
        self.missed = None
        self.look = replace(self.look, chosen=candidate)
        self.look_changed.emit()

    @Slot()
    def start(self) -> None:
        """Explain the shown image now."""
        self._follow_image()
        if self._soon.isActive():
            self._soon.stop()
            self._ask()

    @Slot()
    def again(self) -> None:
        """Explain the shown image anew."""
        self._wanted = None
        self.start()

    def close(self) -> None:
        """Ask no more and drop what is on its way."""
        self._soon.stop()
        self._drop()
        self._wanted = self.shown = None

    # Asking

    @Slot()
    def _follow_image(self) -> None:
        shown = self._desk.editor.shown
        wanted = _Wanted(shown.item.id, shown.item.contrast, self._proposals.choice) if shown else None
        if wanted is not None and wanted == self._wanted:
            return
        self._drop()
        self._wanted, self.shown, self.problem, self.missed = wanted, None, "", None
        self.look = replace(self.look, chosen=None)
        if wanted is not None:
            self._soon.start()
        self.changed.emit()

    def _drop(self) -> None:
        self._generation += 1
        order, self._order = self._order, None
        if order is not None:
            self._bridge.cancel(order)

    @Slot()
    def _ask(self) -> None:
        shown, wanted = self._desk.editor.shown, self._wanted
        if shown is None or wanted is None:
            return
        path = self._desk.path_of(shown.item)
        request = Explain(path, shown.item.frame, wanted.choice, self._generation, wanted.contrast)
        try:
            self._order = self._bridge.submit(request, Priority.PROMPT)
        except MaskwrightError as error:
            self._fail(str(error))

    @Slot(object)
    def _on_explained(self, event: Explained) -> None:
        shown, asked = self._desk.editor.shown, self._generation
        if event.generation != asked or event.order != self._order or shown is None:
            return
        height, width = event.explanation.resized

        def work() -> Shown:
            seen = cv2.resize(shown.pixels, (width, height), interpolation=cv2.INTER_LINEAR)
            return Shown(event.explanation, np.ascontiguousarray(seen, np.uint8))

        def take(made: Shown) -> None:
            if asked == self._generation:
                self.shown = made
                self._follow_selection()
                self.changed.emit()

        self._desk.background.run(work, take, self._fail)

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        if event.order != self._order:
            return
        self._order = None
        if isinstance(event, Failed):
            self._fail(event.message)

    def _fail(self, sentence: str) -> None:
        self.problem = sentence
        self.changed.emit()

    # What is selected in the window

    @Slot()
    def _follow_selection(self) -> None:
        selected = self._desk.editor.selected
        if self.shown is None or len(selected) != 1:
            return
        box = selected[0].bounds_xyxy
        explanation = self.shown.explanation
        found = finder_of(explanation, box)
        if found is not None:
            self.choose(int(explanation.second.detections[found]))
        else:
            self.choose(None)
            self.missed = box
            self.look_changed.emit()
