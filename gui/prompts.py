"""What a person points at, asked of the model, or worked out from colours on a thread.

One question at a time, of those that wait only the newest. While a tool that asks the model is taken, the
shown image and its neighbours are made ready ahead of time. Knows the editor, the desk and the bridge; no
widget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Qt, Slot

from engine.classical import cut_out, flood
from engine.document.mask import EMPTY, Mask
from engine.document.records import ClassDef, MediaItem
from engine.errors import MaskwrightError
from engine.media.picture import Rgb
from engine.messages import Failed, OrderId, Priority, Prompt, Prompted
from engine.prompt import Candidate
from gui.bridge import Bridge
from gui.desk import Desk
from gui.editor import Editor, Shown
from gui.proposals import Proposals
from gui.tools.prompting import Answer, Method, PromptTool, Question


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """generation: of the image, the model and the open prompt."""

    question: Question
    then: Callable[[Answer], None]
    generation: int


class Prompts(QObject):
    """The editor's finder. Lives on the GUI thread."""

    def __init__(self, editor: Editor, desk: Desk, bridge: Bridge, proposals: Proposals) -> None:
        super().__init__()
        self._editor, self._desk, self._bridge, self._proposals = editor, desk, bridge, proposals
        self._generation = 0
        self._order: OrderId | None = None  # of the question under way
        self._under_way: _Asked | None = None
        self._has_best = False  # the answer to it has come, and only grows
        self._next: _Asked | None = None
        self._readying: dict[OrderId, int] = {}  # media ids
        self._ready: int | None = None  # the media id of the image that the model has looked at
        self._choice = proposals.choice
        editor.finder = self
        editor.tool_changed.connect(self._get_ready)
        editor.image_changed.connect(self._on_image)
        proposals.changed.connect(self._on_model)
        bridge.ready.connect(self._get_ready, Qt.ConnectionType.QueuedConnection)
        bridge.prompted.connect(self._on_prompted)
        bridge.ended.connect(self._on_ended)

    # What tools ask

    @property
    def is_ready(self) -> bool:
        """Whether the model has looked at the shown image."""
        shown = self._editor.shown
        return shown is not None and shown.item.id == self._ready

    def ask(self, question: Question, then: Callable[[Answer], None]) -> None:
        """`then` is called with the answer, and again as it grows, until a newer question or `drop`."""
        self._next = _Asked(question, then, self._generation)
        if self._under_way is None:
            self._send()
        elif self._has_best:
            self._stop()  # the next bests of the last one are not worth a wait

    def drop(self) -> None:
        """Nobody waits any longer."""
        self._generation += 1
        self._next = None
        self._stop()

    def _stop(self) -> None:
        """Have the model end what it is doing for the question under way."""
        if self._order is not None:
            self._bridge.cancel(self._order)

    def make_class(self, name: str, then: Callable[[int], None]) -> None:
        """Make a class, unless there is one of that name, and call `then` with its id."""
        project, shown = self._desk.project, self._editor.shown
        if project is None:
            return

        def make() -> tuple[int, tuple[ClassDef, ...]]:
            return project.ensure_class(name).id, project.classes()

        def made(found: tuple[int, tuple[ClassDef, ...]]) -> None:
            if self._desk.project is project:
                self._editor.set_classes(found[1])
                if self._editor.shown is shown:
                    then(found[0])

        self._desk.background.run(make, made, self._desk.failed.emit)

    def _send(self) -> None:
        asked, self._next, shown = self._next, None, self._editor.shown
        if asked is None or shown is None:
            return
        question = asked.question
        if question.method is not Method.MODEL:
            self._work_out(asked, shown)
            return
        request = Prompt(
            self._desk.path_of(shown.item),
            shown.item.frame,
            self._choice,
            question.box_xyxy,
            question.clicks,
            question.class_name,
            self._proposals.thresholds.mask_cutoff,
            asked.generation,
            shown.item.contrast,
            question.hint,
        )
        try:
            self._order = self._bridge.submit(request, Priority.PROMPT)
        except MaskwrightError as error:
            asked.then(Answer(question, problem=str(error)))
        else:
            self._under_way = asked

    def _work_out(self, asked: _Asked, shown: Shown) -> None:
        self._under_way = asked

        def done(mask: Mask) -> None:
            found = () if mask.is_empty else (Candidate("", 1.0, mask, mask.box_xyxy),)
            self._end(asked, Answer(asked.question, found))

        self._desk.background.run(
            lambda: _by_colour(shown.pixels, asked.question),
            done,
            lambda sentence: self._end(asked, Answer(asked.question, problem=sentence)),
        )

    def _end(self, asked: _Asked, answer: Answer) -> None:
        self._under_way = None
        if asked.generation == self._generation:
            asked.then(answer)
        if self._under_way is None:  # whoever heard of it may have asked already
            self._send()

    # What the model answers

    @Slot(object)
    def _on_prompted(self, event: Prompted) -> None:
        shown, asked = self._editor.shown, self._under_way
        if shown is None:
            return
        if self._readying.get(event.order) == shown.item.id:
            self._ready = shown.item.id
            self._editor.preview_changed.emit()
        elif event.order == self._order and asked is not None and event.generation == self._generation:
            self._ready = shown.item.id
            self._has_best = event.more
            asked.then(Answer(asked.question, event.candidates or (), more=event.more))
            if event.more and self._next is not None:
                self._stop()

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        self._readying.pop(event.order, None)
        if event.order != self._order:
            return
        asked, self._order, self._under_way, self._has_best = self._under_way, None, None, False
        if isinstance(event, Failed) and asked is not None and asked.generation == self._generation:
            asked.then(Answer(asked.question, problem=event.message))
        if self._under_way is None:  # whoever heard of it may have asked already
            self._send()

    # Ahead of time

    @Slot()
    def _on_image(self) -> None:
        self._ready = None
        self._get_ready()

    @Slot()
    def _on_model(self) -> None:
        if self._proposals.choice != self._choice:
            self._choice = self._proposals.choice
            self._ready = None
            self._get_ready()

    @Slot()
    def _get_ready(self) -> None:
        """Have the model look at the shown image and its neighbours, if a tool that asks is taken."""
        shown, tool = self._editor.shown, self._editor.tool
        asks = isinstance(tool, PromptTool) and tool.method is Method.MODEL
        if not asks or shown is None or not self._bridge.is_ready:
            return
        near = self._desk.neighbours()
        wanted = {shown.item.id, *(item.id for item in near)}
        for order, media_id in tuple(self._readying.items()):
            if media_id not in wanted:
                self._bridge.cancel(order)
        if not self.is_ready:
            self._make_ready(shown.item, Priority.SHOWN)
            for item in near:
                self._make_ready(item, Priority.AHEAD)

    def _make_ready(self, item: MediaItem, priority: Priority) -> None:
        request = Prompt(self._desk.path_of(item), item.frame, self._choice, contrast=item.contrast)
        try:
            self._readying[self._bridge.submit(request, priority)] = item.id
        except MaskwrightError:
            return  # the first question says why


def _by_colour(pixels: Rgb, question: Question) -> Mask:
    if question.method is Method.FLOOD:
        return flood(pixels, question.clicks, question.tolerance)
    return EMPTY if question.box_xyxy is None else cut_out(pixels, question.box_xyxy, question.clicks)
