"""The tools that ask the model: what they ask, what they show, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from engine.document.mask import Mask
from engine.document.records import Box, Provenance
from engine.prompt import Candidate
from gui.commands import load_all
from gui.tools.prompting import Answer, Method, Question
from gui.tools.tool import Caption, Handles, Keys, Line, Mark, Painted
from tests.gui.drive import TestEditor, rectangle

load_all()


def block(x: int, y: int, width: int, height: int) -> Mask:
    return Mask.from_crop(x, y, np.ones((height, width)))


def candidate(mask: Mask, name: str = "nut", score: float = 0.9) -> Candidate:
    return Candidate(name, score, mask, mask.box_xyxy)


@dataclass
class Finder:
    """Keeps what is asked; answers when told to, as the model does."""

    asked: list[tuple[Question, Callable[[Answer], None]]] = field(default_factory=list)
    drops: int = 0
    is_ready: bool = True
    made: list[str] = field(default_factory=list)

    def ask(self, question: Question, then: Callable[[Answer], None]) -> None:
        self.asked.append((question, then))

    def drop(self) -> None:
        self.drops += 1

    def make_class(self, name: str, then: Callable[[int], None]) -> None:
        self.made.append(name)
        then(7)

    @property
    def question(self) -> Question:
        """The newest."""
        return self.asked[-1][0]

    def box(self) -> object:
        """The newest question's."""
        return self.question.box_xyxy

    def clicked(self) -> list[bool]:
        """What the newest question's clicks say."""
        return [one.positive for one in self.question.clicks]

    def answer(self, *found: Candidate, place: int = -1, problem: str = "", more: bool = False) -> None:
        question, then = self.asked[place]
        then(Answer(question, found, problem, more))


@pytest.fixture
def finder() -> Finder:
    return Finder()


@pytest.fixture
def e(finder: Finder) -> TestEditor:
    editor = TestEditor()
    editor.editor.finder = finder
    return editor


def is_busy(e: TestEditor) -> bool:
    return e.editor.tool.is_busy


def painted(e: TestEditor) -> Mask | None:
    """The mask in the preview."""
    shapes = e.shapes(Painted)
    return shapes[0].canvas.to_mask() if shapes else None


def test_that_mask_and_class_follow_a_box_while_it_is_dragged(e: TestEditor, finder: Finder) -> None:
    e.use("box_prompt")
    e.pointer_down(10, 10)
    e.pointer_move(30, 25)
    assert finder.question == Question(box_xyxy=(10, 10, 30, 25))
    finder.answer(candidate(block(12, 12, 10, 8)))
    assert painted(e) == block(12, 12, 10, 8)
    assert [one.text for one in e.shapes(Caption)] == ["nut 0.90"]
    assert e.editor.tool.class_id == 2
    e.pointer_move(50, 40)
    assert finder.question == Question(box_xyxy=(10, 10, 50, 40))
    assert painted(e) == block(12, 12, 10, 8), "the last answer stays until the next is there"
    finder.answer(candidate(block(12, 12, 30, 20), "bolt", 0.7))
    assert painted(e) == block(12, 12, 30, 20)
    assert [one.text for one in e.shapes(Caption)] == ["bolt 0.70"]
    e.pointer_up(50, 40)
    assert e.edits == []
    e.editor.commit()
    assert e.names == ["Box to mask"]
    one = e.only()
    assert (one.mask, one.class_id, one.provenance) == (block(12, 12, 30, 20), 1, Provenance.ACCEPTED)
    assert e.selection == [one.id]
    assert e.editor.tool.preview == ()
    e.undo()
    assert e.document.instances == ()


def test_that_escape_leaves_no_trace_and_a_late_answer_neither(e: TestEditor, finder: Finder) -> None:
    for tool in ("box_prompt", "click_prompt"):
        e.use(tool)
        e.drag((10, 10), (30, 30), (40, 40))
        e.editor.cancel()
        finder.answer(candidate(block(12, 12, 10, 8)))
        assert (e.editor.tool.preview, e.edits, e.document.instances) == ((), [], ())
        assert not is_busy(e)
        assert finder.drops
        e.editor.commit()
        assert e.edits == []


def test_that_corners_and_the_box_itself_can_be_dragged_and_the_mask_is_asked_anew(
    e: TestEditor, finder: Finder
) -> None:
    e.use("box_prompt")
    e.drag((10, 10), (40, 40))
    finder.answer(candidate(block(12, 12, 20, 20)))
    assert len(e.shapes(Handles)[0].points) == 8
    e.drag((40, 40), (50, 60))
    assert finder.box() == (10, 10, 50, 60)
    e.drag((30, 30), (35, 32))
    assert finder.box() == (15, 12, 55, 62)
    e.drag((30, 40), (300, 40))
    assert finder.box() == (60, 12, 100, 62), "a box stays inside the image"


def test_that_clicks_refine_a_box_and_backspace_takes_the_last_back(e: TestEditor, finder: Finder) -> None:
    e.use("box_prompt")
    e.drag((10, 10), (40, 40))
    finder.answer(candidate(block(12, 12, 20, 20)))
    e.click(30, 30, Keys.SHIFT)
    e.click(60, 20)
    question = finder.question
    assert [(one.x, one.y, one.positive) for one in question.clicks] == [(30, 30, False), (60, 20, True)]
    assert finder.box() == (10, 10, 61, 40), "it grows to hold what belongs to the object"
    assert [mark.positive for mark in e.shapes(Mark)] == [False, True]
    e.editor.back()
    assert finder.clicked() == [False]
    finder.answer(candidate(block(12, 12, 9, 9)))
    e.editor.commit()
    assert e.only().provenance is Provenance.CORRECTED
    assert e.only().score is None


def test_that_a_new_box_takes_what_the_last_one_found(e: TestEditor, finder: Finder) -> None:
    e.use("box_prompt")
    e.drag((10, 10), (30, 30))
    finder.answer(candidate(block(12, 12, 10, 8)))
    e.drag((50, 50), (70, 70))
    assert e.only().mask == block(12, 12, 10, 8)
    assert finder.question == Question(box_xyxy=(50, 50, 70, 70))
    e.editor.cancel()
    assert len(e.document.instances) == 1


def test_that_enter_waits_for_the_answer_to_what_was_asked_last(e: TestEditor, finder: Finder) -> None:
    e.use("box_prompt")
    e.drag((10, 10), (30, 30), (40, 40))
    e.editor.commit()
    finder.answer(candidate(block(1, 1, 2, 2)), place=0)
    assert e.edits == [], "that was the answer to the smaller box"
    finder.answer(candidate(block(12, 12, 10, 8)))
    assert e.only().mask == block(12, 12, 10, 8)


def test_that_a_click_offers_candidates_and_tab_goes_through_them(e: TestEditor, finder: Finder) -> None:
    e.use("click_prompt").click(20, 20)
    assert [(one.x, one.y) for one in finder.question.clicks] == [(20, 20)]
    masks = [block(15, 15, 10, 10), block(5, 5, 40, 40), block(18, 18, 4, 4)]
    finder.answer(*(candidate(mask, score=0.9 - n / 10) for n, mask in enumerate(masks)))
    assert e.editor.tool.has_choice
    assert "1 of 3" in e.editor.tool.note
    seen = [painted(e)]
    for _ in range(3):
        e.editor.cycle(1)
        seen.append(painted(e))
    assert seen == [*masks, masks[0]]
    e.editor.cycle(-2)
    assert painted(e) == masks[1]
    e.editor.commit()
    assert (e.only().mask, e.only().provenance) == (masks[1], Provenance.ACCEPTED)


def test_that_tab_shows_the_next_best_as_soon_as_it_is_made(e: TestEditor, finder: Finder) -> None:
    e.use("click_prompt").click(20, 20)
    found = [candidate(block(15 + n, 15, 10, 10), score=0.9 - n / 10) for n in range(4)]
    finder.answer(found[0], more=True)
    assert painted(e) == found[0].mask
    assert e.editor.tool.has_choice, "Tab and wheel are the tool's before there is a second"
    e.editor.cycle(1)
    e.editor.cycle(1)
    assert painted(e) == found[0].mask
    finder.answer(*found[:2], more=True)
    assert painted(e) == found[1].mask
    finder.answer(*found[:3], more=True)
    finder.answer(*found, more=True)
    assert painted(e) == found[2].mask, "two turns, and no more"
    e.editor.cycle(-3)
    assert painted(e) == found[0].mask
    finder.answer(*found)
    assert painted(e) == found[3].mask, "the one before the best is the last, once that is known"
    assert "4 of 4" in e.editor.tool.note
    e.editor.cycle(1)
    e.click(25, 25)
    finder.answer(*reversed(found))
    assert painted(e) == found[3].mask, "another question, and its best"


@pytest.mark.parametrize(("turns", "box"), [(0, (15, 15, 25, 25)), (1, (5, 5, 45, 45))])
def test_that_the_second_click_is_about_the_candidate_that_is_seen(
    e: TestEditor, finder: Finder, turns: int, box: Box
) -> None:
    found = candidate(block(15, 15, 10, 10)), candidate(block(5, 5, 40, 40))
    e.use("click_prompt").click(20, 20)
    finder.answer(*found)
    e.editor.cycle(turns)
    e.click(22, 22)
    assert finder.box() == box
    finder.answer(found[turns])
    e.click(30, 30, Keys.SHIFT)
    assert finder.box() == box
    assert finder.clicked() == [True, True, False]
    e.editor.back()
    assert finder.box() == box
    e.editor.back()
    assert (finder.box(), finder.clicked()) == (None, [True]), "it is open again which one is meant"
    e.editor.back()
    assert not is_busy(e)


def test_that_a_click_to_leave_out_needs_an_object_and_an_image(e: TestEditor, finder: Finder) -> None:
    e.use("click_prompt").click(20, 20, Keys.SHIFT)
    e.click(-5, 20)
    assert finder.asked == []
    assert e.refusals == [
        "Click on the object first: what to leave out comes after that.",
        "Click inside the image.",
    ]


def test_that_a_number_chooses_the_class_of_the_prompt_and_of_nothing_else(finder: Finder) -> None:
    e = TestEditor(rectangle(1, 70, 60, 10, 10))
    e.editor.finder = finder
    e.use("click_prompt").select(1).click(20, 20)
    finder.answer(candidate(block(15, 15, 10, 10), "nut"))
    e.run("shape.class_1")
    assert finder.question.class_name == "bolt"
    finder.answer(candidate(block(15, 15, 12, 12), "bolt"))
    assert [one.text for one in e.shapes(Caption)] == ["bolt"]
    e.editor.commit()
    made = e.document.instance(e.selection[0])
    assert (made.class_id, made.provenance) == (1, Provenance.CORRECTED)
    assert e.names == ["Click to mask"]


def test_that_a_class_the_project_lacks_becomes_the_current_one_or_is_made(
    e: TestEditor, finder: Finder
) -> None:
    e.editor.set_class(2)
    e.use("click_prompt").click(20, 20)
    finder.answer(candidate(block(15, 15, 10, 10), "screw"))
    assert [one.text for one in e.shapes(Caption)] == ["nut"]
    e.editor.commit()
    assert (e.only().class_id, e.only().provenance) == (2, Provenance.CORRECTED)
    assert finder.made == []
    e.undo()
    e.editor.set_classes(())
    e.click(20, 20)
    finder.answer(candidate(block(15, 15, 10, 10), "screw"))
    assert [one.text for one in e.shapes(Caption)] == ["screw 0.90"]
    e.editor.commit()
    assert finder.made == ["screw"]
    assert (e.only().class_id, e.only().provenance) == (7, Provenance.ACCEPTED)


def test_that_the_tool_says_while_the_model_looks_and_when_it_finds_nothing(
    e: TestEditor, finder: Finder
) -> None:
    finder.is_ready = False
    e.use("click_prompt")
    assert e.editor.tool.note == ""
    e.click(20, 20)
    assert "looking at this picture" in e.editor.tool.note
    assert e.editor.tool.cursor == "busy"
    finder.is_ready = True
    finder.answer()
    assert "nothing to be found" in e.editor.tool.note
    assert e.editor.tool.cursor == "cross"
    e.editor.commit()
    assert e.refusals == ["There is no mask to take yet."]
    e.click(25, 25)
    finder.answer(problem="Model x knows boxes alone.")
    assert e.editor.tool.note == "Model x knows boxes alone."
    assert e.refusals[1:] == ["Model x knows boxes alone."]


def test_that_nothing_is_asked_for_an_image_that_may_not_be_changed(e: TestEditor, finder: Finder) -> None:
    e.editor.is_read_only = True
    for tool in ("box_prompt", "click_prompt"):
        e.use(tool).drag((10, 10), (30, 30))
    assert finder.asked == []
    assert e.refusals


def test_that_a_double_click_takes_what_is_seen(e: TestEditor, finder: Finder) -> None:
    e.use("click_prompt").click(20, 20)
    finder.answer(candidate(block(15, 15, 10, 10)))
    e.pointer_down(20, 20, clicks=2)
    e.pointer_up(20, 20)
    assert e.only().mask == block(15, 15, 10, 10)
    e.use("box_prompt").drag((50, 50), (70, 70))
    assert [line.closed for line in e.shapes(Line)] == [True]
    finder.answer(candidate(block(55, 55, 10, 10)))
    e.pointer_down(60, 60, clicks=2)
    e.pointer_up(60, 60)
    assert len(e.document.instances) == 2


def test_that_another_image_takes_the_prompt_away(e: TestEditor, finder: Finder) -> None:
    e.use("box_prompt").drag((10, 10), (30, 30))
    e.show(pixels=np.zeros((50, 50, 3), np.uint8))
    finder.answer(candidate(block(15, 15, 10, 10)))
    assert (e.editor.tool.preview, e.document.instances) == ((), ())


def test_that_the_wand_asks_by_colour_and_its_tolerance_follows_drag_and_wheel(
    e: TestEditor, finder: Finder
) -> None:
    finder.is_ready = False
    e.use("wand").pointer_down(20, 20)
    assert (finder.question.method, finder.question.tolerance) == (Method.FLOOD, 24)
    assert "looking" not in e.editor.tool.note, "no model is waited for"
    finder.answer(candidate(block(15, 15, 10, 10), ""))
    e.pointer_move(40, 20)
    wider = finder.question.tolerance
    assert wider > 24
    e.pointer_up(40, 20)
    e.editor.cycle(1)
    assert finder.question.tolerance < wider
    finder.answer(candidate(block(15, 15, 12, 10), ""))
    assert f"Tolerance {finder.question.tolerance:.0f}" in e.editor.tool.note
    e.click(60, 60, Keys.SHIFT)
    assert finder.clicked() == [True, False]
    e.editor.back()
    finder.answer(candidate(block(15, 15, 12, 10), ""))
    assert [one.text for one in e.shapes(Caption)] == ["bolt"]
    e.editor.commit()
    one = e.only()
    assert (one.mask, one.class_id, one.provenance) == (block(15, 15, 12, 10), 1, Provenance.DRAWN)
    assert one.score is None
    e.click(60, 60, Keys.SHIFT)
    assert e.refusals == ["Click on a colour first: what to leave out comes after that."]


def test_that_grabcut_asks_by_colour_in_a_box(e: TestEditor, finder: Finder) -> None:
    e.use("grabcut").drag((10, 10), (40, 40))
    assert finder.question == Question(box_xyxy=(10, 10, 40, 40), method=Method.CUT)
    finder.answer(candidate(block(15, 15, 10, 10), ""))
    e.editor.commit()
    assert (e.only().provenance, e.names) == (Provenance.DRAWN, ["GrabCut in a box"])


def test_that_tools_without_a_model_need_a_class(e: TestEditor, finder: Finder) -> None:
    e.editor.set_classes(())
    for tool in ("wand", "grabcut"):
        e.use(tool).drag((10, 10), (40, 40))
    assert finder.asked == []
    assert e.refusals == ["There is no class yet: add one before you draw."] * 2
