"""Brush and eraser: live while they paint, one edit when they are lifted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.document.diff import Source
from engine.document.mask import EMPTY, Mask
from engine.document.paint import erase_stroke, paint_stroke
from engine.document.records import Instance, Provenance
from gui.tools.tool import Disc, Keys, Painted
from tests.gui.drive import TestEditor, rectangle

BIG = rectangle(1, 10, 10, 60, 60)
SMALL = rectangle(2, 30, 30, 10, 10)
PROPOSAL = rectangle(3, 30, 30, 10, 10, provenance=Provenance.PREDICTED, score=0.9)
PATH = [(20.0, 20.0), (40.0, 30.0), (60.0, 25.0)]


def editor(*records: Instance, tool: str = "brush", radius: float = 5.0) -> TestEditor:
    e = TestEditor(*records).use(tool)
    e.editor.set_brush_radius(radius)
    return e


def test_that_a_stroke_with_nothing_selected_is_a_new_instance_in_one_edit() -> None:
    e = editor(SMALL)
    e.drag(*PATH)
    assert e.names == ["Brush"]
    (new,) = e.editor.selected
    assert new.mask == paint_stroke(EMPTY, PATH, 5.0, height=80, width=100)
    assert e.document.instance(2) == SMALL
    e.undo()
    assert e.only() == SMALL


def test_that_a_stroke_goes_onto_the_selected_instance() -> None:
    e = editor(SMALL).select(2)
    assert SMALL.mask is not None
    e.drag(*PATH)
    assert e.only().mask == paint_stroke(SMALL.mask, PATH, 5.0, height=80, width=100)
    assert (e.names, e.selection) == (["Brush"], [2])
    e.undo()
    assert e.only() == SMALL


def test_that_a_painted_proposal_is_corrected() -> None:
    e = editor(PROPOSAL).select(3)
    e.click(50, 50)
    assert e.only().provenance is Provenance.CORRECTED


def test_that_a_click_paints_a_disc_and_at_the_border_only_what_is_inside() -> None:
    e = editor()
    e.click(0, 0)
    assert e.only().mask == paint_stroke(EMPTY, (0, 0), 5.0, height=80, width=100)
    e.select()
    e.click(-50, -50)
    assert len(e.document.instances) == 1


def test_that_the_stroke_is_seen_while_it_is_painted_and_changes_nothing_yet() -> None:
    e = editor(SMALL).select(2)
    e.hover(20, 20)
    assert [disc.radius for disc in e.shapes(Disc)] == [5.0]
    e.pointer_down(20, 20)
    e.pointer_move(25, 20)
    (painted,) = e.shapes(Painted)
    assert (painted.instance_id, painted.class_id) == (2, 1)
    x, y, width, height = painted.changed
    assert (x, y, x + width, y + height) == (15, 15, 30, 25)
    assert painted.canvas.pixels(20, 20, 1, 1).all()
    assert (e.edits, e.only()) == ([], SMALL)
    e.pointer_up(25, 20)
    assert e.shapes(Painted) == []


def test_that_shift_makes_the_brush_erase() -> None:
    e = editor(BIG).select(1)
    e.drag(*PATH, keys=Keys.SHIFT)
    assert BIG.mask is not None
    assert e.names == ["Erase"]
    assert e.mask(1) == erase_stroke(BIG.mask, PATH, 5.0, height=80, width=100)


def test_that_the_eraser_takes_the_instance_under_it_where_none_is_selected() -> None:
    e = editor(BIG, SMALL, tool="eraser")
    assert SMALL.mask is not None
    e.click(30, 30)
    assert e.mask(2) == erase_stroke(SMALL.mask, (30, 30), 5.0, height=80, width=100)
    assert e.mask(1) == BIG.mask
    e.select()
    e.click(95, 75)
    assert len(e.edits) == 1


def test_that_erasing_all_removes_the_instance() -> None:
    e = editor(BIG, SMALL, tool="eraser", radius=60.0).select(2)
    e.drag((20, 35), (50, 35))
    assert (e.names, e.only(), e.selection) == (["Erase"], BIG, [])
    e.undo()
    assert e.document.instance(2) == SMALL


def test_that_a_stroke_beside_the_mask_is_no_edit() -> None:
    e = editor(SMALL, tool="eraser").select(2)
    e.drag((70, 70), (80, 70))
    e.use("brush")
    e.editor.set_brush_radius(2)
    e.click(35, 35)
    assert (e.edits, e.only()) == ([], SMALL)


def test_that_cancel_and_another_image_drop_the_stroke() -> None:
    e = editor(SMALL).select(2)
    old = e.document
    e.pointer_down(20, 20)
    e.pointer_move(50, 50)
    e.editor.cancel()
    e.pointer_move(60, 50)
    e.pointer_up(60, 50)
    e.pointer_down(20, 20)
    e.pointer_move(50, 50)
    e.show(SMALL, pixels=np.zeros((80, 100, 3), np.uint8))
    e.pointer_up(60, 50)
    assert e.edits == []
    assert old.instance(2) == e.only() == SMALL


def test_that_a_stroke_whose_end_was_never_told_is_kept() -> None:
    e = editor()
    e.pointer_down(20, 20)
    e.pointer_move(25, 20)
    e.pointer_down(60, 60)
    e.pointer_up(60, 60)
    assert e.names == ["Brush", "Brush"]
    assert e.only().mask is not None


def test_that_a_stroke_on_what_the_engine_took_away_meanwhile_is_not_lost() -> None:
    e = editor(PROPOSAL).select(3)
    e.pointer_down(35, 35)
    with e.document.edit("Replace", Source.ENGINE):
        e.document.remove(3)
    e.pointer_up(60, 35)
    assert e.only().provenance is Provenance.DRAWN
    assert e.only().mask == paint_stroke(
        Mask.from_crop(30, 30, np.ones((10, 10))), [(35, 35), (60, 35)], 5.0, height=80, width=100
    )


def test_that_a_bare_box_gets_a_mask_from_the_brush_and_is_left_by_the_eraser() -> None:
    box = Instance(4, 2, box_xyxy=(10.0, 10.0, 40.0, 40.0), attributes=(("a", "b"),))
    e = editor(box, tool="eraser").select(4)
    e.drag((12, 12), (30, 30))
    assert (e.edits, e.only()) == ([], box)
    e.use("brush").click(20, 20)
    mask = paint_stroke(EMPTY, (20, 20), 5.0, height=80, width=100)
    assert e.only() == replace(box, mask=mask, box_xyxy=None)


def test_that_the_size_is_the_editors_and_may_change_in_a_stroke() -> None:
    e = editor()
    e.pointer_down(20, 20)
    e.editor.set_brush_radius(10)
    e.pointer_up(60, 20)
    mask = paint_stroke(
        paint_stroke(EMPTY, (20, 20), 5.0, height=80, width=100), [(20, 20), (60, 20)], 10.0,
        height=80, width=100,
    )  # fmt: skip
    assert e.only().mask == mask
