"""Commands on selected instances: each one edit that undo takes back whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document import masks
from engine.document.mask import Mask
from engine.document.records import Instance, Provenance
from gui.commands import load_all
from gui.commands.registry import COMMANDS
from gui.commands.shape import touching
from tests.engine.document.strategies import often, seldom, some_masks
from tests.gui.drive import TestEditor, rectangle

load_all()

A = rectangle(1, 10, 10, 20, 20)
B = rectangle(2, 20, 20, 20, 20)
C = rectangle(3, 70, 60, 10, 10, class_id=2)
BOX = Instance(4, 1, box_xyxy=(1.0, 1.0, 9.0, 9.0), z=4)
PROPOSAL = rectangle(5, 50, 5, 10, 10, provenance=Provenance.PREDICTED, score=0.9)
EVERY = ("delete", "union", "subtract", "intersect", "merge", "split", "fill_holes", "smooth", "simplify",
         "raise", "lower", "to_top", "to_bottom", "class_2", "move_left", "move_down")  # fmt: skip


def ids(e: TestEditor) -> list[int]:
    return [one.id for one in e.document.instances]


def test_that_delete_removes_the_selection_in_one_edit() -> None:
    e = TestEditor(A, B, BOX).select(1, 4).run("shape.delete")
    assert (e.names, ids(e), e.selection) == (["Delete 2 instances"], [2], [])
    e.undo()
    assert ids(e) == [1, 2, 4]
    e.select(2).run("shape.delete")
    assert e.names[-1] == "Delete"


def test_that_delete_takes_what_is_picked_inside_the_tool_first() -> None:
    e = TestEditor(A).select(1).use("vertex")
    e.click(10, 10)
    e.run("shape.delete")
    assert e.names == ["Delete vertex"]
    e.run("shape.delete")
    assert e.document.instances == ()


def test_that_delete_while_a_polygon_is_drawn_removes_nothing() -> None:
    e = TestEditor(A).select(1).use("polygon")
    e.click(50, 50)
    e.run("shape.delete")
    assert ids(e) == [1]


def test_that_union_joins_all_into_the_first_selected() -> None:
    e = TestEditor(A, B, C).select(2, 1, 3).run("shape.union")
    assert (e.names, ids(e), e.selection) == (["Union of 3"], [2], [2])
    assert e.only().mask == masks.union(masks.union(e_mask(A), e_mask(B)), e_mask(C))
    assert e.only().class_id == 1


def e_mask(instance: Instance) -> Mask:
    assert instance.mask is not None
    return instance.mask


def test_that_subtract_cuts_the_others_out_of_the_first_and_leaves_them() -> None:
    e = TestEditor(A, B).select(2, 1).run("shape.subtract")
    assert e.names == ["Subtract 1"]
    assert e.mask(2) == masks.subtract(e_mask(B), e_mask(A))
    assert e.document.instance(1) == A


def test_that_intersect_keeps_what_all_have_in_common() -> None:
    e = TestEditor(A, B).select(1, 2).run("shape.intersect")
    assert (e.names, ids(e)) == (["Intersection of 2"], [1])
    assert e.mask(1) == Mask.from_crop(20, 20, np.ones((10, 10)))


@pytest.mark.parametrize(("command", "chosen"), [("intersect", (1, 3)), ("subtract", (1, 6))])
def test_that_what_would_leave_nothing_is_refused(command: str, chosen: tuple[int, ...]) -> None:
    e = TestEditor(A, C, rectangle(6, 0, 0, 60, 60)).select(*chosen)
    before = e.records
    e.run(f"shape.{command}")
    assert (e.edits, len(e.refusals)) == ([], 1)
    assert e.records == before


def test_that_merge_joins_what_touches_and_is_of_one_class() -> None:
    beside = rectangle(7, 40, 25, 5, 5)  # its edge on that of B
    other = rectangle(8, 45, 25, 5, 5, class_id=2)
    corner = rectangle(9, 5, 5, 5, 5)  # meets A at a corner alone
    e = TestEditor(A, B, C, beside, other, corner)
    e.run("selection.all").run("shape.merge")
    assert (e.names, ids(e)) == (["Merge 3"], [1, 3, 8, 9])
    assert e.mask(1).area == 400 + 400 - 100 + 25
    e.select(3, 8).run("shape.merge")
    assert (len(e.edits), len(e.refusals)) == (1, 1)


@seldom
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=12))
def test_that_groups_that_touch_are_the_parts_of_all_of_them_together(places: list[tuple[int, int]]) -> None:
    made = [rectangle(place + 1, x, y, 4, 4) for place, (x, y) in enumerate(places)]
    together = made[0].mask
    assert together is not None
    for one in made:
        together = masks.union(together, e_mask(one))
    groups = touching(made)
    assert len(groups) == len(masks.parts(together))
    assert sorted(one.id for group in groups for one in group) == [one.id for one in made]


def test_that_split_makes_each_part_an_instance_and_union_joins_them_again() -> None:
    pixels = np.zeros((20, 40))
    pixels[:5, :5] = pixels[:, 10:20] = pixels[3:9, 30:] = 1
    three = Instance(1, 2, mask=Mask.from_full(pixels), attributes=(("a", "b"),), z=5)
    e = TestEditor(three, C).select(1).run("shape.split")
    assert e.names == ["Split into 3"]
    assert len(e.selection) == 3
    assert e.mask(1).area == 200
    assert all(one.class_id == 2 and one.attributes == three.attributes for one in e.editor.selected)
    e.run("shape.union")
    assert e.mask(1) == three.mask
    while e.undo():
        pass
    assert e.document.instance(1) == three
    e.select(3).run("shape.split")
    assert e.refusals


def test_that_the_parts_of_a_proposal_are_all_corrected() -> None:
    pixels = np.zeros((5, 9))
    pixels[:, :3] = pixels[:, 6:] = 1
    e = TestEditor(replace(PROPOSAL, mask=Mask.from_full(pixels))).select(5).run("shape.split")
    assert {one.provenance for one in e.document.instances} == {Provenance.CORRECTED}


def test_that_holes_are_filled_and_a_class_is_changed() -> None:
    pixels = np.ones((10, 10))
    pixels[4:6, 4:6] = 0
    e = TestEditor(Instance(1, 1, mask=Mask.from_full(pixels)), PROPOSAL).select(1, 5)
    e.run("shape.fill_holes")
    assert e.mask(1).area == 100
    assert e.document.instance(5) == PROPOSAL
    e.run("shape.class_2")
    assert [one.class_id for one in e.document.instances] == [2, 2]
    assert e.document.instance(5).provenance is Provenance.CORRECTED
    assert e.editor.class_id == 2
    assert e.names == ["Fill holes", "Change class"]
    e.run("shape.class_2").run("shape.class_3")
    assert len(e.edits) == 2


def test_that_with_nothing_selected_a_number_sets_the_class_of_what_is_drawn_next() -> None:
    e = TestEditor(A).run("shape.class_2").use("box")
    e.drag((50, 50), (60, 60))
    assert e.editor.selected[0].class_id == 2
    assert e.document.instance(1) == A


@often
@given(some_masks())
def test_that_a_smoothed_or_simplified_mask_stays_inside_and_is_never_empty(mask: Mask) -> None:
    for command in ("smooth", "simplify"):
        e = TestEditor(Instance(1, 1, mask=mask), height=16, width=16).select(1).run(f"shape.{command}")
        assert not e.mask(1).is_empty
        assert e.mask(1).clipped(16, 16) is e.mask(1)


def test_that_simplifying_keeps_parts_holes_and_nearly_the_pixels() -> None:
    y, x = np.mgrid[:70, :90]
    ring = (x - 35) ** 2 + (y - 35) ** 2
    pixels = ((ring < 900) & (ring > 200)) | ((x - 80) ** 2 + (y - 35) ** 2 < 50)
    mask = Mask.from_full(pixels)
    e = TestEditor(Instance(1, 1, mask=mask)).select(1).run("shape.simplify")
    now = e.mask(1)
    assert masks.iou(now, mask) > 0.9
    assert now != mask
    assert len(masks.parts(now)) == 2
    assert masks.fill_holes(now).area > now.area


# Order


def test_that_top_and_bottom_change_the_order_of_the_others_not() -> None:
    e = TestEditor(A, B, C, BOX)
    e.select(2, 1).run("shape.to_top")
    assert ids(e) == [3, 4, 1, 2]
    e.select(4).run("shape.to_bottom")
    assert ids(e) == [4, 3, 1, 2]
    e.run("shape.to_bottom")
    assert e.names == ["To the top", "To the bottom"]
    e.undo()
    e.undo()
    assert ids(e) == [1, 2, 3, 4]


def test_that_raise_goes_over_the_next_that_overlaps_and_lower_back() -> None:
    e = TestEditor(A, C, replace(B, z=9)).select(1).run("shape.raise")
    assert ids(e) == [3, 2, 1]
    e.run("shape.raise")
    assert len(e.edits) == 1
    e.run("shape.lower")
    assert ids(e) == [3, 1, 2]
    assert e.names == ["Raise", "Lower"]


@seldom
@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=6),
    st.data(),
    st.sampled_from(("to_top", "to_bottom", "raise", "lower")),
)
def test_that_instances_of_equal_z_are_ordered_as_asked(
    zs: list[int], data: st.DataObject, command: str
) -> None:
    made = [replace(A, id=place + 1, z=z) for place, z in enumerate(zs)]
    e = TestEditor(*made)
    old = ids(e)
    chosen = data.draw(st.sampled_from(old))
    e.select(chosen).run(f"shape.{command}")
    rest = [id_ for id_ in old if id_ != chosen]
    place = {
        "to_top": len(rest), "to_bottom": 0,
        "raise": min(old.index(chosen) + 1, len(rest)), "lower": max(old.index(chosen) - 1, 0),
    }[command]  # fmt: skip
    assert ids(e) == [*rest[:place], chosen, *rest[place:]]


def test_that_attributes_are_set_on_all_selected() -> None:
    e = TestEditor(A, PROPOSAL).select(1, 5).run("shape.attributes", (("side", "left"),))
    assert [one.attributes for one in e.document.instances] == [(("side", "left"),)] * 2
    assert e.document.instance(5).provenance is Provenance.PREDICTED


def test_that_a_step_by_a_pixel_ends_at_the_border() -> None:
    e = TestEditor(A, BOX).select(1, 4)
    for _ in range(3):
        e.run("shape.move_left")
    assert e.document.instance(4).box_xyxy == (0.0, 1.0, 8.0, 9.0)
    assert e.mask(1).x == 9
    assert e.names == ["Move"]


# All of them


@pytest.mark.parametrize("command", EVERY)
def test_that_undo_restores_the_records_and_read_only_changes_none(command: str) -> None:
    for chosen in ((), (1,), (4,), (5,), (1, 2), (1, 2, 3, 4, 5)):
        e = TestEditor(A, B, C, BOX, PROPOSAL).select(*chosen)
        before = e.records
        e.run(f"shape.{command}")
        assert len(e.edits) <= 1
        for one in e.document.instances:
            assert one.mask is None or not one.mask.is_empty
        after = e.records
        e.undo()
        assert e.records == before
        e.redo()
        assert e.records == after
        e = TestEditor(A, B, C, BOX, PROPOSAL).select(*chosen)
        e.editor.is_read_only = True
        e.run(f"shape.{command}")
        assert (e.edits, e.records) == ([], before)


def test_that_no_command_of_shape_or_selection_can_be_run_without_an_image() -> None:
    e = TestEditor()
    e.editor.show(None)
    context = e.context()
    for id_, command in COMMANDS.items():
        if id_.startswith(("shape.", "selection.")) and not id_.startswith("shape.class"):
            if id_ != "selection.copy_previous":
                command.run(context, *(((),) if command.ask else ()))
            assert not command.when(context), id_
    assert e.edits == []
