"""The magic wand: what hangs together around a click and looks alike. Needs no model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gui.tools.prompting import Method, PromptTool, Question
from gui.tools.tool import Pointer, register, translated

if TYPE_CHECKING:
    from gui.editor import Editor

_STEP = 4.0  # grey levels by a notch of the wheel
_LEVELS = 40.0  # grey levels by a drag of ten handles' breadth


@register
class WandTool(PromptTool):
    """Click on a colour; drag aside, or turn the wheel, for more or less of it."""

    id = "wand"
    title = "Magic wand"
    shortcut = "Y"
    hint = "Click on a colour and drag to the right for more of it; Shift-click takes a colour away"
    icon = "wand"
    method = Method.FLOOD

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self._tolerance = 24.0  # stays from one prompt to the next
        self._pressed: tuple[Pointer, float] | None = None

    def begin(self, at: Pointer) -> None:
        if not self.may_ask():
            return
        if at.clicks > 1 and self.prompt is not None:
            self.commit()
            return
        click = self.click(at)
        if click is None:
            return
        self._pressed = at, self._tolerance
        question = self.prompt.question if self.prompt is not None else Question(method=self.method)
        if not question.clicks and not click.positive:
            self.refuse("Click on a colour first: what to leave out comes after that.")
            return
        self.ask(replace(question, clicks=(*question.clicks, click), tolerance=self._tolerance))

    def move(self, at: Pointer) -> None:
        if self._pressed is not None and self.prompt is not None:
            start, tolerance = self._pressed
            self._set_tolerance(tolerance + _LEVELS * (at.x - start.x) / (10 * at.reach))

    def end(self, at: Pointer) -> None:
        self.move(at)
        self._pressed = None

    def back(self) -> None:
        if self.prompt is not None and len(self.prompt.question.clicks) == 1:
            self.cancel()
        else:
            super().back()

    @property
    def has_choice(self) -> bool:
        return self.prompt is not None

    def cycle(self, by: int) -> None:
        self._set_tolerance(self._tolerance - by * _STEP)

    def cancel(self) -> None:
        self._pressed = None
        super().cancel()

    def _open_note(self, _prompt: object) -> str:
        note = translated(
            "Tolerance {}: drag aside or turn the wheel; Enter takes it, Esc drops it; click to add, "
            "Shift-click to take away"
        )
        return note.format(round(self._tolerance))

    def _set_tolerance(self, tolerance: float) -> None:
        self._tolerance = min(max(round(tolerance), 0), 255)
        if self.prompt is not None:
            self.ask(replace(self.prompt.question, tolerance=self._tolerance))
