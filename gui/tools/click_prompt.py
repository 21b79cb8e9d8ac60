"""The click tool: what the model sees under a click, and the next best of it."""

from __future__ import annotations

from dataclasses import replace

from gui.tools.prompting import PromptTool, Question
from gui.tools.tool import Keys, Pointer, register


@register
class ClickPromptTool(PromptTool):
    """Click on an object: the model's mask of it; more clicks say what belongs to it and what does not."""

    id = "click_prompt"
    title = "Click to mask"
    shortcut = "Q"
    hint = "Click on an object: the model proposes its mask; Tab for the next best, Shift-click takes away"
    icon = "click-prompt"

    def begin(self, at: Pointer) -> None:
        if not self.may_ask():
            return
        if at.clicks > 1 and self.prompt is not None:
            self.commit()
            return
        if self.prompt is None and Keys.SHIFT in at.keys:
            self.refuse("Click on the object first: what to leave out comes after that.")
            return
        click = self.click(at)
        if click is None:
            return
        if self.prompt is None:
            self.ask(Question(clicks=(click,)))
            return
        question = self.prompt.question
        if question.box_xyxy is None and self.prompt.candidate is not None:
            # From now on it is about what is seen: asked anew, each click could make another box the best.
            question = replace(question, box_xyxy=self.prompt.candidate.box_xyxy)
        self.ask(replace(question, clicks=(*question.clicks, click)))

    def back(self) -> None:
        question = self.prompt.question if self.prompt is not None else Question()
        if len(question.clicks) == 1:
            self.cancel()
        elif len(question.clicks) == 2:  # it is open again which one is meant
            self.ask(replace(question, clicks=question.clicks[:1], box_xyxy=None))
        else:
            super().back()
