"""Vertices: dragged, inserted, removed and moved together; other pixels stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.document.mask import Mask
from engine.document.records import Instance, Provenance
from gui.tools.tool import Handles, Keys, Line, Look
from tests.gui.drive import TestEditor, rectangle

SQUARE = rectangle(1, 20, 20, 40, 40)


def editing(*records: Instance, id_: int = 1) -> TestEditor:
    e = TestEditor(*records).select(id_)
    e.reach = 3.0
    return e.use("vertex")


def vertices(e: TestEditor, look: Look = Look.HANDLE) -> list[tuple[float, float]]:
    e.editor.pointer_left()
    return [
        tuple(point) for shape in e.shapes(Handles) if shape.look is look for point in shape.points.tolist()
    ]


def test_that_the_vertices_of_the_selected_instance_are_shown() -> None:
    e = editing(SQUARE)
    assert sorted(vertices(e)) == [(20, 20), (20, 60), (60, 20), (60, 60)]
    e.select()
    assert e.editor.tool.preview == ()


def test_that_the_outline_has_the_colour_of_the_instance_and_not_of_what_is_drawn_next() -> None:
    e = editing(replace(SQUARE, class_id=2))
    assert e.editor.class_id == 1
    assert e.editor.tool.class_id == 2


def test_that_a_vertex_is_dragged_in_one_edit_and_the_others_stay() -> None:
    e = editing(SQUARE)
    e.drag((60, 20), (65, 15), (80, 20))
    assert e.names == ["Move vertex"]
    assert sorted(vertices(e)) == [(20, 20), (20, 60), (60, 60), (80, 20)]
    # The slope from (80, 20) to (60, 60) cuts each row of the triangle at its pixels' centres.
    assert e.mask(1).area == 40 * 40 + 20 * 40 / 2
    assert e.mask(1).to_full(80, 100)[20:60, 20:60].all()
    e.undo()
    assert e.only() == SQUARE
    assert sorted(vertices(e)) == [(20, 20), (20, 60), (60, 20), (60, 60)]
    e.redo()
    assert (80, 20) in vertices(e)


def test_that_vertices_do_not_jump_after_an_edit_or_its_undo() -> None:
    e = editing(SQUARE)
    e.drag((40, 20), (40.5, 13.5))
    assert (40.5, 13.5) in vertices(e)
    e.drag((60, 60), (70, 61.25))
    assert {(40.5, 13.5), (70, 61.25)} <= set(vertices(e))
    e.undo()
    assert {(40.5, 13.5), (60, 60)} <= set(vertices(e))


def test_that_an_edge_dragged_becomes_a_vertex_and_one_clicked_does_not() -> None:
    e = editing(SQUARE)
    e.click(40, 20)
    assert (e.edits, len(vertices(e))) == ([], 4)
    e.drag((40, 20), (40, 10))
    assert e.names == ["Insert vertex"]
    assert len(vertices(e)) == 5
    assert (40, 10) in vertices(e)
    assert e.mask(1).area == 40 * 40 + 40 * 10 / 2


def test_that_a_vertex_goes_by_alt_click_double_click_or_delete() -> None:
    for remove in ("alt", "double", "delete"):
        e = editing(SQUARE)
        match remove:
            case "alt":
                e.click(60, 20, Keys.ALT)
            case "double":
                e.double_click(60, 20)
            case _:
                e.click(60, 20)
                assert e.editor.delete()
        assert e.names == ["Delete vertex"]
        assert sorted(vertices(e)) == [(20, 20), (20, 60), (60, 60)]
        e.undo()
        assert e.only() == SQUARE


def test_that_delete_without_a_picked_vertex_is_left_to_the_instance() -> None:
    e = editing(SQUARE)
    assert not e.editor.delete()
    assert e.only() == SQUARE


def test_that_too_few_vertices_remove_the_instance() -> None:
    e = editing(SQUARE)
    e.drag((10, 10), (70, 30))
    assert sorted(vertices(e, Look.ACTIVE)) == [(20, 20), (60, 20)]
    assert e.editor.delete()
    assert e.document.instances == ()
    assert e.names == ["Delete 2 vertices"]
    e.undo()
    assert e.only() == SQUARE


def test_that_vertices_picked_by_a_band_move_together_and_shift_picks_more() -> None:
    e = editing(SQUARE)
    e.drag((10, 10), (70, 30))
    e.drag((60, 20), (60, 10))
    assert e.names == ["Move 2 vertices"]
    assert e.only().mask == Mask.from_crop(20, 10, np.ones((50, 40)))
    e.click(60, 60, Keys.SHIFT)
    assert len(vertices(e, Look.ACTIVE)) == 3
    e.click(90, 70)
    assert vertices(e, Look.ACTIVE) == []


def test_that_holes_and_parts_are_kept_and_edited() -> None:
    pixels = np.ones((40, 60))
    pixels[10:20, 10:20] = 0
    pixels[:, 40:45] = 0
    instance = Instance(1, 1, mask=Mask.from_crop(20, 20, pixels))
    e = editing(instance)
    assert len(vertices(e)) == 12
    e.drag((40, 40), (45, 45))
    changed = e.mask(1).to_full(80, 100) ^ instance.mask.to_full(80, 100) if instance.mask else None
    assert changed is not None
    assert changed.any()
    assert not changed[:30].any()
    assert not changed[:, 60:].any()
    assert len(vertices(e)) == 12


def test_that_vertices_stay_in_the_image() -> None:
    e = editing(SQUARE)
    e.drag((20, 20), (-300, -300))
    assert (0, 0) in vertices(e)
    e.drag((50, 50), (65, 65))
    e.drag((60, 60), (500, 500))
    assert (100, 80) in vertices(e)
    assert e.mask(1).clipped(80, 100) is e.mask(1)


def test_that_zoomed_in_a_vertex_is_only_taken_from_near_by() -> None:
    e = editing(SQUARE)
    e.reach = 0.2
    e.drag((59, 21), (70, 10))
    assert e.edits == []
    e.reach = 3.0
    e.drag((59, 21), (70, 10))
    assert e.names == ["Move vertex"]


def test_that_a_click_on_another_instance_edits_that_one() -> None:
    e = editing(SQUARE, rectangle(2, 70, 65, 10, 10))
    e.click(75, 70)
    assert e.selection == [2]
    assert (70, 65) in vertices(e)


def test_that_imported_rings_are_shown_until_the_first_edit_drops_them() -> None:
    ring = (20.0, 20.0, 59.5, 20.0, 60.0, 60.0, 20.0, 60.0)
    e = editing(rectangle(1, 20, 20, 40, 40, rings=(ring,), provenance=Provenance.IMPORTED))
    assert (59.5, 20) in vertices(e)
    e.drag((20, 60), (20, 70))
    assert e.only().rings == ()
    assert e.only().provenance is Provenance.IMPORTED
    assert (59.5, 20) in vertices(e)


def test_that_cancel_in_a_drag_puts_the_vertices_back() -> None:
    for start in ((60, 20), (40, 20)):
        e = editing(SQUARE)
        e.pointer_down(*start)
        e.pointer_move(80, 5)
        assert any((80, 5) in map(tuple, line.points.tolist()) for line in e.shapes(Line))
        e.editor.cancel()
        e.pointer_up(80, 5)
        assert e.edits == []
        assert sorted(vertices(e)) == [(20, 20), (20, 60), (60, 20), (60, 60)]


def test_that_another_image_or_selection_in_a_drag_changes_neither() -> None:
    e = editing(SQUARE, rectangle(2, 70, 65, 10, 10))
    e.pointer_down(60, 20)
    e.pointer_move(80, 5)
    e.select(2)
    e.pointer_up(80, 5)
    e.select(1)
    e.pointer_down(60, 20)
    e.pointer_move(80, 5)
    e.show(SQUARE, pixels=np.zeros((80, 100, 3), np.uint8))
    e.pointer_up(80, 5)
    assert e.edits == []


def test_that_a_read_only_outline_is_looked_at_but_not_changed() -> None:
    e = editing(SQUARE)
    e.editor.is_read_only = True
    e.drag((60, 20), (80, 5))
    e.click(60, 20, Keys.ALT)
    assert e.edits == []
    assert len(e.refusals) == 2
    assert e.only() == SQUARE


def test_that_an_edited_proposal_is_corrected() -> None:
    e = editing(rectangle(1, 20, 20, 40, 40, provenance=Provenance.PREDICTED, score=0.9))
    e.drag((60, 20), (65, 15))
    assert e.only().provenance is Provenance.CORRECTED
