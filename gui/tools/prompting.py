"""What tools that ask for a mask have in common: an open prompt, its candidates, and what becomes of one.

Whoever finds the candidates (`Finder`) is the editor's; it answers later, on the GUI thread. A tool asks
again with every change and shows the last answer until the next one is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from engine.document.document import Document
from engine.document.mask import Mask
from engine.document.paint import MaskCanvas, Rectangle
from engine.document.records import Box, Instance, Provenance, new_id
from engine.prompt import Candidate, Click
from gui import geometry
from gui.tools.drawing import DrawingTool
from gui.tools.tool import Caption, Keys, Mark, Painted, Pointer, Shape, translated

if TYPE_CHECKING:
    from gui.editor import Editor

_NOTHING: Rectangle = (0, 0, 0, 0)


class Method(Enum):
    """Who answers."""

    MODEL = auto()
    FLOOD = auto()  # like colours around clicks
    CUT = auto()  # colours in a box against those around it


@dataclass(frozen=True, slots=True)
class Question:
    """What a person points at, image pixels: a box, clicks or both; or a rough outline's mask, the hint.

    class_name: chosen by the person. tolerance: of FLOOD, grey levels.
    """

    box_xyxy: Box | None = None
    clicks: tuple[Click, ...] = ()
    class_name: str | None = None
    method: Method = Method.MODEL
    tolerance: float = 0.0
    hint: Mask | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """To a question: candidates, best first; or a sentence that says why there is none.

    more: there may be further candidates, which come with another answer to the same question.
    """

    question: Question
    candidates: tuple[Candidate, ...] = ()
    problem: str = ""
    more: bool = False


class Finder(Protocol):
    """Finds what a person points at on the shown image."""

    @property
    def is_ready(self) -> bool:
        """Whether an answer takes no longer than a blink: the model has looked at the image."""

    def ask(self, question: Question, then: Callable[[Answer], None]) -> None:
        """`then` is called with the answer, and again as it grows, until a newer question or `drop`."""

    def drop(self) -> None:
        """Nobody waits any longer."""

    def make_class(self, name: str, then: Callable[[int], None]) -> None:
        """Make a class, unless there is one of that name, and call `then` with its id."""


@dataclass(slots=True, eq=False)
class Prompt:
    """What is open. place: of the candidate shown. turns: of Tab, to be made as soon as there are candidates
    enough. class_id: chosen by the person.
    """

    question: Question
    answer: Answer | None = None
    place: int = 0
    turns: int = 0
    class_id: int | None = None
    is_accepted: bool = False  # before the answer was there

    @property
    def candidate(self) -> Candidate | None:
        """What is shown."""
        found = self.answer.candidates if self.answer is not None else ()
        return found[self.place] if found else None

    @property
    def is_answered(self) -> bool:
        """Whether what is shown is the answer to the last question."""
        return self.answer is not None and self.answer.question == self.question


class PromptTool(DrawingTool):
    """A tool that asks for a mask. One that inherits from it opens prompts with `ask`."""

    method = Method.MODEL

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self.prompt: Prompt | None = None
        self._canvas: MaskCanvas | None = None  # of the candidate shown
        self._changed = _NOTHING

    # What is shown

    @property
    def is_busy(self) -> bool:
        return self.prompt is not None

    @property
    def class_id(self) -> int | None:
        return self._class_id()[0]

    @property
    def preview(self) -> tuple[Shape, ...]:
        prompt = self.prompt
        if prompt is None:
            return ()
        shapes: list[Shape] = [Mark(one.x, one.y, one.positive) for one in prompt.question.clicks]
        candidate = prompt.candidate
        if candidate is not None and self._canvas is not None:
            x, y, _, _ = candidate.mask.box_xyxy
            shapes.append(Painted(None, self.class_id or 0, self._canvas, self._changed))
            shapes.append(Caption(x, y, self._caption(candidate)))
        return tuple(shapes)

    @property
    def note(self) -> str:
        prompt, finder = self.prompt, self.editor.finder
        if prompt is None or finder is None:
            return ""
        if prompt.answer is not None and prompt.answer.problem:
            return prompt.answer.problem
        if not prompt.is_answered:
            if not self._is_at_hand(finder):
                return translated(
                    "The model is looking at this picture for the first time; the mask follows."
                )
            return "" if prompt.answer is None else self._open_note(prompt)
        if prompt.candidate is None:
            return translated("There is nothing to be found here: point elsewhere.")
        return self._open_note(prompt)

    def _is_at_hand(self, finder: Finder) -> bool:
        return self.method is not Method.MODEL or finder.is_ready

    def _open_note(self, prompt: Prompt) -> str:
        note = translated(
            "Enter takes it, Esc drops it; click to add, Shift-click to take away; 1-9 choose the class"
        )
        count = len(prompt.answer.candidates) if prompt.answer is not None else 0
        if count > 1:
            which = translated("{place} of {count}, Tab or the wheel for the next best")
            note = f"{which.format(place=prompt.place + 1, count=count)}; {note}"
        return note

    def _caption(self, candidate: Candidate) -> str:
        class_id, is_the_models = self._class_id()
        name = next((one.name for one in self.editor.classes if one.id == class_id), candidate.class_name)
        return f"{name} {candidate.score:.2f}" if is_the_models else name

    def _class_id(self) -> tuple[int | None, bool]:
        """The class of what is shown, and whether the model says so.

        The person's choice counts first, then the model's where the project has that class, then the one
        that new instances get; where there is no class at all, None: the model's will be made.
        """
        prompt, current = self.prompt, self.editor.class_id
        candidate = prompt.candidate if prompt is not None else None
        if prompt is not None and prompt.class_id is not None:
            return prompt.class_id, False
        if candidate is None:
            return current, False
        known = {one.name: one.id for one in self.editor.classes}
        if candidate.class_name in known:
            return known[candidate.class_name], True
        return current, current is None and self.method is Method.MODEL

    # Asking

    def ask(self, question: Question) -> None:
        """Open a prompt, or change the one that is open."""
        if self.prompt is None:
            self.prompt = Prompt(question)
        elif question == self.prompt.question:
            return
        self.prompt.question = question
        finder = self.editor.finder
        if finder is None:
            self.cancel()
            self.refuse("No model is at hand here.")
            return
        prompt = self.prompt
        finder.ask(question, lambda answer: self._take(prompt, answer))
        self._set_cursor()

    def _take(self, prompt: Prompt, answer: Answer) -> None:
        """An answer has come; the tool may have gone on since."""
        if prompt is not self.prompt:
            return
        if answer.problem and (prompt.answer is None or prompt.answer.problem != answer.problem):
            self.editor.refused.emit(answer.problem)
        last, prompt.answer = prompt.answer, answer
        if last is not None and last.more and last.question == answer.question and not answer.problem:
            self._turn()
        else:
            prompt.place = prompt.turns = 0
            self._show_candidate()
        self.editor.preview_changed.emit()
        self._changed = _NOTHING
        if prompt.is_accepted and prompt.is_answered:
            prompt.is_accepted = False
            self.editor.commit()

    def _show_candidate(self) -> None:
        candidate, shown = self.prompt.candidate if self.prompt else None, self.editor.shown
        self._canvas, self._changed = None, _NOTHING
        if candidate is not None and shown is not None:
            height, width = shown.size
            self._canvas = MaskCanvas(candidate.mask, height=height, width=width)
            self._changed = candidate.mask.bbox_xywh
        self._set_cursor()

    def _set_cursor(self) -> None:
        finder = self.editor.finder
        waits = self.prompt is not None and not self.prompt.is_answered
        self.cursor = "busy" if waits and finder is not None and not self._is_at_hand(finder) else "cross"

    def may_ask(self) -> bool:
        """Whether a prompt may be opened; where not, it is said why. A model brings its own classes."""
        return self.editor.allows_edits() and (self.method is Method.MODEL or self.has_class())

    def click(self, at: Pointer) -> Click | None:
        """What a click here says; None, and it is said why, outside the image."""
        shown = self.editor.shown
        if shown is None or not (0 <= at.x < shown.size[1] and 0 <= at.y < shown.size[0]):
            self.refuse("Click inside the image.")
            return None
        return Click(at.x, at.y, positive=Keys.SHIFT not in at.keys)

    # What a person does with it

    def hover(self, at: Pointer) -> None:
        self._changed = _NOTHING
        if self.prompt is None:
            under = self.picker.at(at)
            self.editor.hover(under[0] if under else None)

    @property
    def has_choice(self) -> bool:
        answer = self.prompt.answer if self.prompt is not None else None
        return answer is not None and (len(answer.candidates) > 1 or answer.more)

    def cycle(self, by: int) -> None:
        if self.prompt is not None:
            self.prompt.turns += by
            self._turn()

    def _turn(self) -> None:
        """Show the candidate that was turned to; one that is still being made as soon as it is there."""
        prompt = self.prompt
        if prompt is None or prompt.answer is None or not prompt.answer.candidates or not prompt.turns:
            return
        place, count = prompt.place + prompt.turns, len(prompt.answer.candidates)
        prompt.place = min(max(place, 0), count - 1) if prompt.answer.more else place % count
        prompt.turns = place - prompt.place if prompt.answer.more else 0
        self._show_candidate()

    def choose_class(self, class_id: int) -> bool:
        prompt = self.prompt
        if prompt is None:
            return False
        prompt.class_id = class_id
        name = next((one.name for one in self.editor.classes if one.id == class_id), None)
        self.ask(replace(prompt.question, class_name=name))
        return True

    def back(self) -> None:
        if self.prompt is not None and self.prompt.question.clicks:
            question = self.prompt.question
            self.ask(replace(question, clicks=question.clicks[:-1]))

    def commit(self) -> None:
        prompt = self.prompt
        if prompt is None:
            return
        if not prompt.is_answered:
            prompt.is_accepted = True  # as soon as the answer is there
        elif prompt.candidate is None:
            self.refuse("There is no mask to take yet.")
        else:
            self.take_shown()

    def take_shown(self) -> None:
        """Make the candidate that is seen an instance, if there is one, and close the prompt.

        As the model has it, it is accepted; with a person's say in it, corrected.
        """
        prompt, document, finder = self.prompt, self.editor.document, self.editor.finder
        candidate = prompt.candidate if prompt is not None else None
        class_id, is_the_models = self._class_id()
        self.cancel()
        if prompt is None or candidate is None or document is None or finder is None:
            return
        question = prompt.question
        as_it_came = is_the_models and len(question.clicks) + (question.box_xyxy is not None) == 1
        by_model = Provenance.ACCEPTED if as_it_came else Provenance.CORRECTED
        instance = Instance(
            new_id(),
            class_id or 0,
            mask=candidate.mask,
            score=candidate.score if as_it_came else None,
            provenance=by_model if self.method is Method.MODEL else Provenance.DRAWN,
        )
        if class_id is not None:
            self._add(document, instance)
        else:
            finder.make_class(
                candidate.class_name, lambda id_: self._add(document, replace(instance, class_id=id_))
            )

    def cancel(self) -> None:
        self.prompt = self._canvas = None
        self._changed = _NOTHING
        self.cursor = "cross"
        if self.editor.finder is not None:
            self.editor.finder.drop()

    def _add(self, document: Document, instance: Instance) -> None:
        if self.editor.document is not document:
            return
        with self.editor.edit(translated(self.title)):
            document.add(replace(instance, z=document.next_z))
        if instance.id in document.records:
            self.editor.select((instance.id,))


def inside(*, box: Box, height: int, width: int) -> Box:
    """The part of a box that lies inside an image of that size; it may be empty."""
    x0, y0, x1, y1 = box
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))


def holding(*, box: Box, click: Click) -> Box:
    """The box, grown to hold a click."""
    around = (click.x, click.y, click.x + 1.0, click.y + 1.0)
    return geometry.joint_box(boxes=[box, around])
