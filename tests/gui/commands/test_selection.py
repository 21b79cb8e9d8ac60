"""Selecting by command, and copies within and between images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.document.mask import Mask
from engine.document.records import Instance, Provenance
from gui.camera import Camera
from gui.commands import load_all
from gui.commands.registry import COMMANDS
from gui.desk import Desk
from gui.editor import Editor
from tests.gui.drive import TestEditor, rectangle
from tests.gui.making import drawn, folder_of, proposal

load_all()

A = rectangle(1, 60, 10, 20, 20)
B = rectangle(2, 10, 10, 20, 20, class_id=2)
C = rectangle(3, 10, 50, 10, 10)
BOX = Instance(4, 1, box_xyxy=(50.0, 50.0, 60.0, 60.0), z=4)
HIDDEN = rectangle(5, 80, 60, 5, 5, provenance=Provenance.PREDICTED, score=0.1)


def test_that_all_invert_none_and_same_class_take_only_what_is_visible() -> None:
    e = TestEditor(A, B, C, HIDDEN).run("selection.all")
    assert e.selection == [1, 2, 3]
    e.select(2).run("selection.invert")
    assert e.selection == [1, 3]
    e.select(1).run("selection.same_class")
    assert e.selection == [1, 3]
    e.run("selection.none")
    assert (e.selection, e.edits) == ([], [])


def test_that_tab_goes_round_from_the_top_of_the_image_to_its_bottom() -> None:
    e = TestEditor(A, B, C, HIDDEN)
    seen = []
    for _ in range(4):
        seen += e.run("selection.next").selection
    assert seen == [2, 1, 3, 2]
    assert e.run("selection.previous").selection == [3]
    assert e.select().run("selection.previous").selection == [3]


def test_that_tab_brings_what_is_outside_the_view_into_it() -> None:
    e = TestEditor(A, C)
    e.editor.set_camera(Camera(8.0, -480.0, -80.0))
    e.run("selection.next")
    assert e.editor.camera == Camera(8.0, -480.0, -80.0)
    e.run("selection.next")
    assert e.editor.camera.to_view(15, 55) == (100.0, 80.0)


def test_that_a_copy_is_pasted_at_its_place_on_another_image_and_beside_it_on_this_one() -> None:
    e = TestEditor(A, BOX).select(1, 4)
    context = e.context()
    e.run("selection.copy", context=context).run("selection.paste", context=context)
    assert e.names == ["Paste"]
    assert [one.bounds_xyxy for one in e.editor.selected] == [(72, 22, 92, 42), (62, 62, 72, 72)]
    e.show(pixels=np.zeros((80, 100, 3), np.uint8))
    e.run("selection.paste", context=context)
    assert [one.bounds_xyxy for one in e.editor.selected] == [A.bounds_xyxy, BOX.bounds_xyxy]
    assert not {1, 4} & {one.id for one in e.document.instances}
    e.undo()
    assert e.document.instances == ()


def test_that_a_paste_on_a_smaller_image_is_cut_to_it_or_refused() -> None:
    e = TestEditor(A, BOX).select(1, 4)
    context = e.context()
    e.run("selection.copy", context=context)
    e.show(pixels=np.zeros((20, 70, 3), np.uint8))
    e.run("selection.paste", context=context)
    assert e.only().mask == Mask.from_crop(60, 10, np.ones((10, 10)))
    e.show(pixels=np.zeros((5, 5, 3), np.uint8))
    e.run("selection.paste", context=context)
    assert (e.document.instances, len(e.refusals)) == ((), 1)


def test_that_a_pasted_proposal_is_a_persons_and_the_first_stays() -> None:
    seen = rectangle(5, 20, 20, 5, 5, provenance=Provenance.PREDICTED, score=0.9)
    e = TestEditor(seen).select(5).run("selection.duplicate")
    (copy,) = e.editor.selected
    assert (copy.provenance, copy.score) == (Provenance.DRAWN, None)
    assert e.document.instance(5) == seen
    assert e.names == ["Duplicate"]


def test_that_cut_removes_and_paste_brings_back_the_same() -> None:
    e = TestEditor(A, C).select(1)
    context = e.context()
    e.run("selection.cut", context=context)
    assert (e.names, e.only()) == (["Cut"], C)
    e.run("selection.paste", context=context)
    assert e.editor.selected[0].mask == A.mask


def test_that_read_only_a_cut_neither_removes_nor_copies() -> None:
    e = TestEditor(A).select(1)
    e.editor.is_read_only = True
    context = e.context()
    COMMANDS["selection.cut"].run(context)
    assert (e.only(), context.clipboard.instances, len(e.refusals)) == (A, (), 1)


def test_that_a_copy_near_the_border_goes_to_the_other_side_and_none_leaves_the_image() -> None:
    e = TestEditor(rectangle(1, 80, 60, 20, 20)).select(1).run("selection.duplicate")
    assert e.editor.selected[0].mask == Mask.from_crop(68, 48, np.ones((20, 20)))
    for _ in range(20):
        e.run("selection.duplicate")
    assert all(one.mask and one.mask.clipped(80, 100) is one.mask for one in e.document.instances)


@pytest.mark.usefixtures("application")
def test_that_the_previous_images_instances_are_copied_without_its_proposals(
    tmp_path: Path, wait: Callable[..., None]
) -> None:
    desk = Desk(Editor())
    try:
        desk.open([folder_of(tmp_path / "pictures")])
        wait(lambda: desk.editor.shown)
        assert desk.project is not None
        assert desk.editor.document is not None
        class_id = desk.project.ensure_class("bolt").id
        desk.reload_classes()
        wait(lambda: desk.editor.classes)
        one = drawn(class_id)
        with desk.editor.edit("Draw"):
            desk.editor.document.add(one)
            desk.editor.document.add(proposal(class_id, 20))
        first = desk.editor.document
        context = replace(TestEditor().context(), editor=desk.editor, desk=desk)
        copy = COMMANDS["selection.copy_previous"]
        assert not copy.when(context)
        desk.step(1)
        wait(lambda: desk.editor.document is not first)
        assert desk.editor.document is not None
        assert copy.when(context)
        copy.run(context)
        wait(lambda: desk.editor.selection)
        (found,) = desk.editor.document.instances
        assert (found.mask, found.class_id) == (one.mask, class_id)
        assert found.id != one.id
        told: list[str] = []
        desk.noticed.connect(told.append)
        copy.run(context)
        wait(lambda: told)
        assert desk.editor.document.instances == (found,)
    finally:
        desk.close()
