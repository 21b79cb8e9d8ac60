"""Selecting and moving: what is under the pointer, and where it goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document.diff import Source
from engine.document.mask import Mask
from engine.document.records import Instance, Keypoint, Provenance
from gui.tools.tool import Handles, Keys, Line
from tests.engine.document.strategies import seldom, some_masks
from tests.gui.drive import TestEditor, rectangle

BELOW = rectangle(1, 10, 10, 30, 30)
ABOVE = rectangle(2, 20, 20, 30, 30)
PROPOSAL = rectangle(
    3, 60, 50, 8, 8, provenance=Provenance.PREDICTED, score=0.9, box_xyxy=(59.5, 50, 68.5, 58)
)
BOX = Instance(4, 1, box_xyxy=(10.0, 10.0, 40.0, 40.0), z=4)


def test_that_a_click_takes_the_topmost_and_again_the_one_beneath() -> None:
    e = TestEditor(BELOW, ABOVE)
    e.click(25, 25)
    assert e.selection == [2]
    e.click(25, 25)
    assert e.selection == [1]
    e.click(25, 25)
    assert e.selection == [2]
    assert e.edits == []


def test_that_a_click_on_nothing_selects_nothing() -> None:
    e = TestEditor(BELOW).select(1)
    e.click(90, 70)
    assert e.selection == []


def test_that_shift_adds_and_takes_away() -> None:
    e = TestEditor(BELOW, ABOVE)
    e.click(12, 12)
    e.click(45, 45, Keys.SHIFT)
    assert e.selection == [1, 2]
    e.click(12, 12, Keys.SHIFT)
    assert e.selection == [2]


def test_that_a_hole_is_not_hit_but_what_shows_through_it_is() -> None:
    ring = np.ones((30, 30))
    ring[10:20, 10:20] = 0
    e = TestEditor(BELOW, Instance(9, 1, mask=Mask.from_crop(10, 10, ring), z=9))
    e.click(25, 25)
    assert e.selection == [1]


def test_that_what_is_hidden_is_not_hit() -> None:
    e = TestEditor(BELOW, replace(PROPOSAL, score=0.2))
    e.click(64, 54)
    assert e.selection == []
    e.editor.see(replace(e.editor.sight, score=0.1))
    e.click(64, 54)
    assert e.selection == [3]


def test_that_a_thin_instance_is_reached_beside_it_when_zoomed_out_but_not_when_zoomed_in() -> None:
    e = TestEditor(rectangle(1, 50, 10, 1, 60))
    e.reach = 0.5
    e.click(53, 30)
    assert e.selection == []
    e.reach = 8.0
    e.click(53, 30)
    assert e.selection == [1]


def test_that_a_rubber_band_takes_what_lies_wholly_inside() -> None:
    e = TestEditor(BELOW, ABOVE, PROPOSAL)
    e.drag((70, 60), (15, 45), (5, 5))
    assert e.selection == [1, 2, 3]
    e.drag((95, 75), (55, 45))
    assert e.selection == [3]
    e.drag((5, 5), (41, 41), keys=Keys.SHIFT)
    assert e.selection == [3, 1]
    assert e.edits == []


def test_that_a_drag_moves_the_selection_in_one_edit_and_undo_brings_it_back() -> None:
    e = TestEditor(BELOW, ABOVE).select(1, 2)
    before = e.records
    e.drag((25, 25), (30, 24), (35, 22))
    assert e.names == ["Move"]
    assert e.mask(1).bbox_xywh == (20, 7, 30, 30)
    assert e.mask(2).bbox_xywh == (30, 17, 30, 30)
    assert e.selection == [1, 2]
    e.undo()
    assert e.records == before


def test_that_dragging_what_is_not_selected_selects_and_moves_it_alone() -> None:
    e = TestEditor(BELOW, ABOVE).select(1)
    e.drag((45, 45), (50, 45))
    assert e.selection == [2]
    assert (e.mask(1).x, e.mask(2).x) == (10, 25)


def test_that_a_hand_that_trembles_while_it_clicks_moves_nothing() -> None:
    e = TestEditor(BELOW)
    e.drag((25, 25), (26, 25), (26, 26))
    assert (e.edits, e.selection) == ([], [1])


def test_that_nothing_is_dragged_out_of_the_image_and_no_part_is_lost() -> None:
    parts = np.zeros((6, 12))
    parts[:, :4] = parts[2:, 8:] = 1
    e = TestEditor(Instance(1, 1, mask=Mask.from_crop(10, 10, parts)))
    e.drag((11, 11), (-300, 500))
    assert e.mask(1) == Mask.from_crop(0, 74, parts)


@seldom
@given(some_masks(), st.integers(-200, 200), st.integers(-200, 200))
def test_that_a_move_keeps_every_pixel_and_undo_every_record(mask: Mask, dx: int, dy: int) -> None:
    instance = Instance(1, 1, mask=mask, keypoints=(Keypoint(3, 4, 2),), attributes=(("a", "b"),))
    e = TestEditor(instance).select(1)
    before = e.records
    y, x = (int(place[0]) for place in np.nonzero(mask.bitmap))
    start = (mask.x + x + 0.5, mask.y + y + 0.5)
    e.drag(start, (start[0] + dx, start[1] + dy))
    assert np.array_equal(e.mask(1).bitmap, mask.bitmap)
    assert e.mask(1).clipped(80, 100) is e.mask(1)
    moved = e.mask(1).x - mask.x, e.mask(1).y - mask.y
    point = e.document.instance(1).keypoints[0]
    assert point == Keypoint(3 + moved[0], 4 + moved[1], 2)
    assert e.document.instance(1).attributes == instance.attributes
    while e.undo():
        pass
    assert e.records == before


def test_that_alt_drag_leaves_the_instance_and_moves_a_copy() -> None:
    e = TestEditor(BELOW, PROPOSAL).select(3)
    e.drag((64, 54), (74, 54), keys=Keys.ALT)
    assert e.names == ["Duplicate"]
    (copy,) = e.editor.selected
    assert copy.id not in (1, 3)
    assert (copy.provenance, copy.score, copy.class_id) == (Provenance.DRAWN, None, 1)
    assert copy.mask == Mask.from_crop(70, 50, np.ones((8, 8)))
    assert e.document.instance(3) == PROPOSAL
    assert e.document.instances[-1] == copy


def test_that_a_moved_proposal_is_corrected_and_keeps_its_box_around_it() -> None:
    e = TestEditor(PROPOSAL)
    e.drag((64, 54), (69, 54))
    moved = e.document.instance(3)
    assert moved.provenance is Provenance.CORRECTED
    assert moved.box_xyxy == (64.5, 50, 73.5, 58)


def test_that_cancel_in_a_drag_moves_nothing_and_the_button_coming_up_later_neither() -> None:
    e = TestEditor(BELOW).select(1)
    e.pointer_down(25, 25)
    e.pointer_move(60, 40)
    assert e.shapes(Line)
    e.editor.cancel()
    assert e.shapes(Line) == []
    e.pointer_move(62, 40)
    e.pointer_up(62, 40)
    assert (e.edits, e.selection) == ([], [1])


def test_that_another_image_in_a_drag_leaves_both_as_they_are() -> None:
    e = TestEditor(BELOW).select(1)
    old = e.document
    e.pointer_down(25, 25)
    e.pointer_move(60, 40)
    e.show(BELOW, pixels=np.zeros((80, 100, 3), np.uint8))
    e.pointer_move(62, 40)
    e.pointer_up(62, 40)
    assert e.edits == []
    assert old.instance(1) == e.document.instance(1) == BELOW


def test_that_a_read_only_image_is_selected_from_but_not_moved_on() -> None:
    e = TestEditor(BELOW)
    e.editor.is_read_only = True
    e.drag((25, 25), (60, 40))
    assert (e.edits, e.selection) == ([], [1])
    assert len(e.refusals) == 1


def test_that_an_instance_the_engine_took_away_in_a_drag_is_let_go() -> None:
    e = TestEditor(PROPOSAL, BELOW).select(1, 3)
    e.pointer_down(64, 54)
    e.pointer_move(66, 56)
    with e.document.edit("Replace", Source.ENGINE):
        e.document.remove(3)
    e.pointer_up(70, 60)
    assert e.mask(1).bbox_xywh[:2] == (16, 16)


def test_that_a_double_click_edits_the_outline_of_what_was_selected_before_it() -> None:
    e = TestEditor(BELOW, ABOVE).select(2)
    e.double_click(25, 25)
    assert e.selection == [2]
    assert e.editor.tool.id == "vertex"


# Bare boxes


def test_that_a_bare_box_is_taken_by_its_edge_and_does_not_bury_what_it_encloses() -> None:
    e = TestEditor(rectangle(1, 20, 20, 5, 5), BOX)
    e.click(22, 22)
    assert e.selection == [1]
    e.click(10, 30)
    assert e.selection == [4]
    e.click(35, 35)
    assert e.selection == [4]


def test_that_a_bare_box_is_moved_and_stays_bare() -> None:
    e = TestEditor(BOX).select(4)
    e.drag((25, 25), (35, 20))
    assert e.only().box_xyxy == (20.0, 5.0, 50.0, 35.0)
    assert e.only().mask is None


@pytest.mark.parametrize(
    ("grip", "goal", "box"),
    [
        ((40, 40), (60, 50), (10, 10, 60, 50)),
        ((10, 25), (15, 70), (15, 10, 40, 40)),
        ((25, 10), (0, 5), (10, 5, 40, 40)),
        ((40, 10), (500, -500), (10, 0, 100, 40)),
        ((40, 40), (2, 4), (2, 4, 10, 10)),
        ((40, 25), (10, 25), (10, 10, 11, 40)),
    ],
)
def test_that_a_bare_box_is_resized_by_its_handles_inside_the_image(
    grip: tuple[float, float], goal: tuple[float, float], box: tuple[float, ...]
) -> None:
    e = TestEditor(BOX).select(4)
    assert len(e.shapes(Handles)[0].points) == 8
    before = e.records
    e.drag(grip, goal)
    assert e.names == ["Resize"]
    assert e.only().box_xyxy == box
    e.undo()
    assert e.records == before


def test_that_cancel_in_a_resize_keeps_the_box() -> None:
    e = TestEditor(BOX).select(4)
    e.pointer_down(40, 40)
    e.pointer_move(60, 60)
    e.editor.cancel()
    e.pointer_up(60, 60)
    assert (e.edits, e.only()) == ([], BOX)
