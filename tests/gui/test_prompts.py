"""Prompts between tools and engine: one question at a time, only the newest, made ready ahead of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from engine.document.mask import Mask
from engine.document.records import Instance
from engine.messages import Failed, Finished, OrderId, Priority, Prompt, Prompted
from engine.prompt import Candidate, Click
from gui.bridge import Bridge
from gui.commands import load_all
from gui.commands.registry import COMMANDS, Context
from gui.desk import Desk
from gui.editor import Editor
from gui.prompts import Prompts
from gui.proposals import Proposals
from gui.settings import Settings
from gui.tools.prompting import Answer, Method, Question
from gui.tools.tool import Pointer
from tests.gui.making import Engine, folder_of, square

Wait = Callable[..., None]
FOUND = (Candidate("bolt", 0.9, square(), (4.0, 4.0, 10.0, 10.0)),)


@dataclass
class Bench:
    editor: Editor
    desk: Desk
    engine: Engine
    proposals: Proposals
    prompts: Prompts
    wait: Wait

    @property
    def asked(self) -> dict[OrderId, tuple[Prompt, Priority]]:
        """The prompts under way."""
        return {
            order: (request, priority)
            for order, (request, priority) in self.engine.asked.items()
            if isinstance(request, Prompt)
        }

    def readiness(self) -> bool:
        """Whether the model has looked at the shown image."""
        return self.prompts.is_ready

    @property
    def boxes(self) -> list[object]:
        """Of the questions under way."""
        return [request.box_xyxy for request, priority in self.asked.values() if priority is Priority.PROMPT]

    def answer(self, order: OrderId, found: tuple[Candidate, ...] | None = FOUND) -> None:
        request, _ = self.asked[order]
        self.engine.asked.pop(order)
        self.engine.prompted.emit(Prompted(order, request.generation, found))
        self.engine.ended.emit(Finished(order))


@pytest.fixture
def bench(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Bench]:
    folder = folder_of(tmp_path / "pictures", ("a.png", "b.png", "c.png", "d.png"))
    editor, engine, settings = Editor(), Engine(), Settings(tmp_path / "settings.json")
    desk = Desk(editor)
    proposals = Proposals(editor, desk, cast(Bridge, engine), settings)
    prompts = Prompts(editor, desk, cast(Bridge, engine), proposals)
    desk.open([folder])
    wait(lambda: editor.shown)
    yield Bench(editor, desk, engine, proposals, prompts, wait)
    desk.close()


def box(x: float) -> Question:
    return Question(box_xyxy=(x, 0.0, x + 10.0, 10.0))


def test_that_of_questions_that_wait_only_the_newest_is_asked(bench: Bench) -> None:
    answers: list[Answer] = []
    for x in (1.0, 2.0, 3.0, 4.0):
        bench.prompts.ask(box(x), answers.append)
    assert bench.boxes == [(1.0, 0.0, 11.0, 10.0)]
    (order,) = bench.asked
    bench.answer(order)
    assert [one.question for one in answers] == [box(1.0)]
    assert bench.boxes == [(4.0, 0.0, 14.0, 10.0)]
    (order,) = bench.asked
    bench.answer(order)
    assert [one.question for one in answers] == [box(1.0), box(4.0)]
    assert answers[-1].candidates == FOUND
    assert bench.asked == {}


def test_that_an_answer_nobody_waits_for_is_dropped(bench: Bench) -> None:
    answers: list[Answer] = []
    bench.prompts.ask(box(1.0), answers.append)
    (order,) = bench.asked
    request, _ = bench.asked[order]
    bench.engine.asked.pop(order)  # it is being worked on: canceling comes too late
    bench.prompts.drop()
    bench.prompts.ask(box(2.0), answers.append)
    bench.engine.prompted.emit(Prompted(order, request.generation, FOUND))
    bench.engine.ended.emit(Finished(order))
    assert answers == []
    (order,) = bench.asked
    bench.answer(order)
    assert [one.question for one in answers] == [box(2.0)]


def test_that_a_newer_question_does_not_wait_for_the_next_bests_of_the_last(bench: Bench) -> None:
    answers: list[Answer] = []
    click = Question(clicks=(Click(1, 1),))
    for is_asked_first in (True, False):
        bench.prompts.ask(click, answers.append)
        (order,) = bench.asked
        request, _ = bench.asked[order]
        if is_asked_first:
            bench.prompts.ask(box(2.0), answers.append)
            assert order not in bench.engine.canceled, "its best candidate is still to come"
        bench.engine.prompted.emit(Prompted(order, request.generation, FOUND, more=True))
        assert answers[-1] == Answer(click, FOUND, more=True)
        if not is_asked_first:
            assert order not in bench.engine.canceled
            bench.prompts.ask(box(2.0), answers.append)
        assert order in bench.engine.canceled
        (order,) = bench.asked
        bench.answer(order)
        assert answers[-1] == Answer(box(2.0), FOUND)


def test_that_a_failure_is_an_answer(bench: Bench) -> None:
    answers: list[Answer] = []
    bench.prompts.ask(Question(clicks=(Click(1, 1),)), answers.append)
    (order,) = bench.asked
    bench.engine.asked.pop(order)
    bench.engine.ended.emit(Failed(order, "Model x knows boxes alone."))
    assert [one.problem for one in answers] == ["Model x knows boxes alone."]


def test_that_shown_image_and_neighbours_are_made_ready_once_a_tool_asks(bench: Bench) -> None:
    assert bench.asked == {}
    bench.editor.set_tool("box_prompt")
    readied = {request.path.name: priority for request, priority in bench.asked.values()}
    assert readied == {"a.png": Priority.SHOWN, "b.png": Priority.AHEAD, "c.png": Priority.AHEAD}
    assert all(request.box_xyxy is None and not request.clicks for request, _ in bench.asked.values())
    assert not bench.readiness()
    bench.answer(next(iter(bench.asked)), None)
    assert bench.readiness()
    bench.desk.step(2)
    bench.wait(lambda: bench.editor.shown and bench.editor.shown.item.path == "c.png")
    assert not bench.readiness()
    names = [request.path.name for request, _ in bench.asked.values()]
    assert "d.png" in names


def test_that_another_model_is_asked_after_it_was_chosen(bench: Bench) -> None:
    bench.editor.set_tool("click_prompt")
    bench.answer(next(iter(bench.asked)), None)
    bench.proposals.set_model("other")
    assert not bench.readiness()
    bench.prompts.ask(box(1.0), lambda _answer: None)
    (request,) = (request for request, priority in bench.asked.values() if priority is Priority.PROMPT)
    assert request.choice.model == "other"
    bench.proposals.set_cutoff(0.7)
    bench.prompts.drop()
    bench.prompts.ask(box(2.0), lambda _answer: None)
    (request,) = (request for request, priority in bench.asked.values() if priority is Priority.PROMPT)
    assert request.mask_cutoff == 0.7


def test_that_a_class_is_made_in_the_project(bench: Bench) -> None:
    made: list[int] = []
    bench.prompts.make_class("screw", made.append)
    bench.wait(lambda: made)
    assert [(one.id, one.name) for one in bench.editor.classes] == [(made[0], "screw")]


def test_that_colours_are_asked_on_a_thread_and_not_of_the_model(bench: Bench) -> None:
    answers: list[Answer] = []
    click = (Click(15.0, 12.0),)
    bench.prompts.ask(Question(clicks=click, method=Method.FLOOD, tolerance=10), answers.append)
    bench.wait(lambda: answers)
    bench.prompts.ask(Question(box_xyxy=(5.0, 4.0, 28.0, 26.0), method=Method.CUT), answers.append)
    bench.wait(lambda: len(answers) == 2)
    assert bench.asked == {}
    assert bench.editor.shown is not None
    bright = Mask.from_full(bench.editor.shown.pixels[..., 0] > 200)
    assert [one.candidates[0].mask for one in answers] == [bright, bright]
    bench.prompts.ask(Question(clicks=click, method=Method.FLOOD, tolerance=10), answers.append)
    bench.prompts.drop()
    bench.prompts.ask(Question(box_xyxy=(5.0, 4.0, 28.0, 26.0), method=Method.CUT), answers.append)
    bench.wait(lambda: len(answers) == 3)
    assert answers[-1].question.method is Method.CUT


def context_of(bench: Bench) -> Context:
    load_all()
    nothing = cast(Any, None)
    return Context(
        bench.editor, bench.desk, nothing, bench.proposals, nothing, nothing, nothing, nothing, nothing
    )


def test_that_outlines_snap_to_edges_in_one_edit(bench: Bench) -> None:
    context = context_of(bench)
    assert bench.editor.shown is not None
    document = bench.editor.shown.document
    bright = Mask.from_full(bench.editor.shown.pixels[..., 0] > 200)
    rough = Mask.from_crop(bright.x - 1, bright.y + 1, bright.bitmap)
    with bench.editor.edit("Draw"):
        document.add(Instance(1, 1, rough))
    bench.editor.select([1])
    snap = COMMANDS["shape.snap"]
    assert snap.when(context)
    snap.run(context)
    bench.wait(lambda: document.instance(1).mask != rough)
    assert document.instance(1).mask == bright
    bench.wait(lambda: bench.desk.saving.past.done[-1:] == ("Snap to edges",))
    bench.editor.select(())
    assert not snap.when(context)


def test_that_outlines_are_fitted_to_the_picture_in_one_edit(bench: Bench) -> None:
    context, fit = context_of(bench), COMMANDS["shape.fit"]
    assert bench.editor.shown is not None
    document = bench.editor.shown.document
    bench.prompts.make_class("bolt", bench.editor.set_class)
    bench.wait(lambda: bench.editor.class_id)
    class_id = bench.editor.class_id or 0
    assert not fit.when(context)
    rough = [Mask.from_crop(3 + 9 * n, 4, np.ones((8, 5))) for n in range(3)]
    with bench.editor.edit("Draw"):
        for n, mask in enumerate(rough):
            document.add(Instance(n + 1, class_id, mask))
        document.add(Instance(4, class_id, box_xyxy=(1.0, 1.0, 9.0, 9.0)))
    bench.editor.select([1, 2, 3, 4])
    assert fit.when(context)
    said: list[str] = []
    bench.desk.noticed.connect(said.append)
    fit.run(context)
    assert said, "the model has not looked at the picture yet, and that takes a while"
    fitted = [Mask.from_crop(4 + 9 * n, 5, np.ones((6, 3))) for n in range(3)]
    for n in range(3):
        (order,) = bench.asked
        assert bench.asked[order][0].hint == rough[n]
        if n == 1:  # a person goes on meanwhile
            with bench.editor.edit("Erase"):
                document.replace(replace(document.instance(3), mask=square()))
        bench.answer(order, (Candidate("bolt", 0.9, fitted[n], fitted[n].box_xyxy),))
    assert bench.asked == {}
    assert [document.instance(n).mask for n in (1, 2, 3)] == [fitted[0], fitted[1], square()]
    bench.wait(lambda: bench.desk.saving.past.done[-1:] == ("Fit to the picture",))
    bench.desk.saving.undo()
    bench.wait(lambda: document.instance(2).mask == rough[1])
    assert [document.instance(n).mask for n in (1, 2, 3)] == [rough[0], rough[1], square()]


def test_that_a_polygon_is_finished_and_then_fitted(bench: Bench) -> None:
    context, fit = context_of(bench), COMMANDS["shape.fit"]
    bench.prompts.make_class("bolt", bench.editor.set_class)
    bench.wait(lambda: bench.editor.classes)
    bench.editor.set_tool("polygon")
    for x, y in ((4.0, 4.0), (20.0, 4.0)):
        bench.editor.tool.begin(Pointer(x, y))
        bench.editor.tool.end(Pointer(x, y))
    fit.run(context)
    assert bench.editor.tool.is_busy, "two points are no polygon yet"
    assert bench.asked == {}
    bench.editor.tool.begin(Pointer(20.0, 20.0))
    bench.editor.tool.end(Pointer(20.0, 20.0))
    assert fit.when(context)
    fit.run(context)
    assert bench.editor.shown is not None
    (drawn,) = bench.editor.shown.document.instances
    (order,) = bench.asked
    assert (bench.asked[order][0].hint, bench.asked[order][0].class_name) == (drawn.mask, "bolt")
    bench.engine.asked.pop(order)
    refused: list[str] = []
    bench.editor.refused.connect(refused.append)
    bench.engine.ended.emit(Failed(order, "Model x knows boxes alone."))
    assert refused == ["Model x knows boxes alone."]
    assert bench.editor.shown.document.instances == (drawn,), "the polygon itself is not lost"
    fit.run(context)
    (order,) = bench.asked
    first = bench.editor.shown
    bench.desk.step(1)
    bench.wait(lambda: bench.editor.shown is not first)
    bench.answer(order)
    assert list(first.document.instances) == [drawn], "the answer came too late"
