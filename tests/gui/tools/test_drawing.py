"""Polygon, box and ignore region: shapes that become masks, inside the image, one edit each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document.boolean import subtract, union
from engine.document.mask import Mask
from engine.document.records import IgnoreRegion, Instance, Provenance
from gui.tools.tool import Handles, Keys, Line, Look
from tests.engine.document.strategies import seldom
from tests.gui.drive import TestEditor, rectangle

SQUARE = ((20, 20), (50, 20), (50, 40), (20, 40))
SQUARE_MASK = Mask.from_crop(20, 20, np.ones((20, 30)))
BIG = rectangle(1, 10, 10, 60, 60)
BLACK = np.zeros((80, 100, 3), np.uint8)


def draw(e: TestEditor, *points: tuple[float, float], keys: Keys = Keys.NONE) -> None:
    for point in points:
        e.click(*point, keys)


# Polygon


def test_that_a_polygon_closes_on_its_first_point() -> None:
    e = TestEditor().use("polygon")
    e.editor.set_class(2)
    draw(e, *SQUARE, (22, 21))
    assert e.names == ["Polygon"]
    assert e.only().mask == SQUARE_MASK
    assert (e.only().class_id, e.only().provenance) == (2, Provenance.DRAWN)
    assert e.selection == [e.only().id]
    e.undo()
    assert e.document.instances == ()


def test_that_enter_and_a_double_click_close_a_polygon_too() -> None:
    e = TestEditor().use("polygon")
    draw(e, *SQUARE)
    e.editor.commit()
    assert e.only().mask == SQUARE_MASK
    draw(e, *SQUARE[:3])
    e.double_click(*SQUARE[3])
    assert [one.mask for one in e.document.instances] == [SQUARE_MASK] * 2
    assert e.document.instances[0].z < e.document.instances[1].z


def test_that_two_points_close_nothing() -> None:
    e = TestEditor().use("polygon")
    draw(e, *SQUARE[:2])
    e.editor.commit()
    assert e.editor.tool.is_busy
    assert e.edits == []


def test_that_backspace_takes_back_points_until_none_is_left() -> None:
    e = TestEditor().use("polygon")
    draw(e, *SQUARE[:3], (90, 5))
    e.editor.back()
    draw(e, SQUARE[3])
    e.editor.commit()
    assert e.only().mask == SQUARE_MASK
    draw(e, *SQUARE[:2])
    for _ in range(3):
        e.editor.back()
    assert not e.editor.tool.is_busy


def test_that_dragging_draws_freehand_and_backspace_takes_the_whole_line() -> None:
    e = TestEditor().use("polygon")
    e.click(20, 20)
    e.drag((50, 20), (55, 25), (60, 32), (70, 60))
    e.editor.back()
    e.click(50, 40)
    e.click(20, 40)
    e.editor.commit()
    assert e.only().mask == SQUARE_MASK
    e.drag((60, 60), (70, 60), (80, 60), (80, 75), (60, 75), (60, 62))
    assert len(e.document.instances) == 2


def test_that_the_line_to_come_follows_the_pointer() -> None:
    e = TestEditor().use("polygon")
    draw(e, *SQUARE[:3])
    e.hover(33, 44)
    line = next(line for line in e.shapes(Line) if line.look is Look.OUTLINE)
    assert line.points.tolist() == [[20, 20], [50, 20], [50, 40], [33, 44]]
    assert all(handles.look is Look.HANDLE for handles in e.shapes(Handles))
    e.hover(21, 21)
    assert any(handles.look is Look.ACTIVE for handles in e.shapes(Handles))


def test_that_how_near_closes_depends_on_the_zoom() -> None:
    e = TestEditor().use("polygon")
    e.reach = 1.0
    draw(e, *SQUARE, (22, 22))
    assert e.editor.tool.is_busy
    e.reach = 5.0
    e.click(23, 22)
    assert not e.editor.tool.is_busy


def test_that_what_leaves_the_image_is_cut_off_and_what_is_outside_is_nothing() -> None:
    e = TestEditor().use("polygon")
    draw(e, (-50, -50), (30, -50), (30, 20), (-50, 20))
    e.editor.commit()
    assert e.only().mask == Mask.from_crop(0, 0, np.ones((20, 30)))
    draw(e, (-50, -50), (-30, -50), (-30, -20))
    e.editor.commit()
    assert len(e.document.instances) == 1
    assert len(e.refusals) == 1


def test_that_shift_cuts_a_hole_and_ctrl_adds_a_part() -> None:
    e = TestEditor(BIG).select(1).use("polygon")
    before = e.records
    draw(e, *SQUARE, keys=Keys.SHIFT)
    e.editor.commit()
    assert BIG.mask is not None
    assert e.mask(1) == subtract(BIG.mask, SQUARE_MASK)
    draw(e, (80, 20), (90, 20), (90, 30), (80, 30), keys=Keys.CTRL)
    e.editor.commit()
    part = Mask.from_crop(80, 20, np.ones((10, 10)))
    assert e.only().mask == union(subtract(BIG.mask, SQUARE_MASK), part)
    assert e.selection == [1]
    e.undo()
    e.undo()
    assert e.records == before


def test_that_a_hole_without_a_selection_goes_into_what_lies_under_it_or_is_refused() -> None:
    e = TestEditor(BIG).use("polygon")
    draw(e, *SQUARE, keys=Keys.SHIFT)
    e.editor.commit()
    assert e.mask(1).area == 3600 - 600
    e.select()
    e.click(90, 75, Keys.SHIFT)
    assert not e.editor.tool.is_busy
    assert len(e.refusals) == 1


def test_that_an_instance_cut_away_whole_is_removed() -> None:
    e = TestEditor(BIG).select(1).use("box")
    e.drag((0, 0), (99, 79), keys=Keys.SHIFT)
    assert e.document.instances == ()
    e.undo()
    assert e.only() == BIG


def test_that_cancel_drops_the_points_and_then_the_selection() -> None:
    e = TestEditor(BIG).select(1).use("polygon")
    draw(e, *SQUARE)
    e.editor.cancel()
    assert (e.editor.tool.preview, e.selection) == ((), [1])
    e.editor.cancel()
    assert (e.selection, e.edits) == ([], [])


def test_that_another_image_or_tool_drops_the_points() -> None:
    e = TestEditor().use("polygon")
    draw(e, *SQUARE)
    e.show(pixels=BLACK)
    e.editor.commit()
    draw(e, *SQUARE)
    e.use("box").use("polygon")
    e.editor.commit()
    assert e.edits == []


@pytest.mark.parametrize("tool", ["polygon", "box", "brush", "scissors"])
def test_that_nothing_new_is_begun_read_only_or_without_a_class(tool: str) -> None:
    e = TestEditor().use(tool)
    e.editor.is_read_only = True
    e.pointer_down(20, 20)
    assert not e.editor.tool.is_busy
    e.editor.is_read_only = False
    e.editor.set_classes(())
    e.pointer_down(20, 20)
    assert not e.editor.tool.is_busy
    assert len(set(e.refusals)) == 2


# Box


def test_that_a_box_makes_a_rectangular_mask_from_any_corner() -> None:
    for start, end in ((SQUARE[0], SQUARE[2]), (SQUARE[2], SQUARE[0]), (SQUARE[1], SQUARE[3])):
        e = TestEditor().use("box")
        e.drag(start, (30, 30), end)
        assert e.names == ["Box"]
        assert e.only().mask == SQUARE_MASK
        assert e.only().box_xyxy is None


def test_that_a_box_ends_at_the_image_and_a_click_makes_none() -> None:
    e = TestEditor().use("box")
    e.drag((90.2, 70.4), (500, 500))
    assert e.only().mask == Mask.from_crop(90, 70, np.ones((10, 10)))
    e.click(20, 20)
    assert (len(e.edits), e.refusals) == (1, [])


def test_that_cancel_and_another_image_drop_a_box() -> None:
    e = TestEditor().use("box")
    e.pointer_down(20, 20)
    e.pointer_move(40, 40)
    assert e.shapes(Line)
    e.editor.cancel()
    e.pointer_up(40, 40)
    e.pointer_down(20, 20)
    e.pointer_move(40, 40)
    e.show(pixels=BLACK)
    e.pointer_up(40, 40)
    assert (e.edits, e.editor.tool.preview) == ([], ())


@seldom
@given(st.lists(st.tuples(*[st.floats(-40, 140)] * 2), min_size=3, max_size=6), st.sampled_from(list(Keys)))
def test_that_whatever_is_drawn_stays_inside_and_undo_restores_the_records(
    points: list[tuple[float, float]], keys: Keys
) -> None:
    for tool in ("polygon", "box", "brush", "eraser", "scissors", "ignore"):
        e = TestEditor(BIG, Instance(2, 2, box_xyxy=(1, 1, 5, 5))).use(tool)
        before = e.records
        draw(e, *points, keys=keys)
        e.drag(*points, keys=keys)
        e.editor.commit()
        for record in e.document.records.values():
            if isinstance(record, Instance | IgnoreRegion) and record.mask is not None:
                assert not record.mask.is_empty
                assert record.mask.clipped(80, 100) is record.mask
        while e.undo():
            pass
        assert e.records == before


# Ignore regions


def test_that_an_ignore_region_is_drawn_cut_and_removed() -> None:
    e = TestEditor(BIG).use("ignore")
    draw(e, *SQUARE)
    e.editor.commit()
    (region,) = e.document.ignore_regions
    assert (e.names, region.mask) == (["Ignore region"], SQUARE_MASK)
    draw(e, (20, 20), (50, 20), (50, 30), (20, 30), keys=Keys.SHIFT)
    e.editor.commit()
    (region,) = e.document.ignore_regions
    assert region.mask == Mask.from_crop(20, 30, np.ones((10, 30)))
    e.click(30, 35, Keys.ALT)
    assert not e.document.ignore_regions
    assert e.only() == BIG
    e.undo()
    assert e.document.ignore_regions == (region,)


def test_that_delete_removes_the_region_under_the_pointer_and_else_is_left_to_the_instances() -> None:
    e = TestEditor(IgnoreRegion(7, SQUARE_MASK), IgnoreRegion(8, Mask.from_full(np.ones((80, 100)))))
    e.use("ignore").hover(30, 30)
    assert e.editor.delete()
    assert [region.id for region in e.document.ignore_regions] == [8]
    e.editor.pointer_left()
    assert not e.editor.delete()


def test_that_a_region_cut_away_whole_is_removed() -> None:
    e = TestEditor(IgnoreRegion(7, SQUARE_MASK)).use("ignore")
    draw(e, (0, 0), (99, 0), (99, 79), (0, 79), keys=Keys.SHIFT)
    e.editor.commit()
    assert e.document.ignore_regions == ()
