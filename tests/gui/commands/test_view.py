"""The commands of the view menu: what they do to camera and sight, without a window."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from gui.camera import Camera, Placement
from gui.commands import load_all
from gui.commands.registry import COMMANDS, Context
from tests.gui.drive import TestEditor, rectangle

load_all()

pytestmark = pytest.mark.usefixtures("application")


@pytest.fixture
def test() -> TestEditor:
    """An image of 100 x 80 with one instance."""
    return TestEditor(rectangle(1, 60, 40, 20, 10))


def context_of(test: TestEditor, ratio: float = 1.0) -> Context:
    """These commands use no more than editor and viewport."""
    viewport = SimpleNamespace(width=lambda: 400, height=lambda: 300, devicePixelRatioF=lambda: ratio)
    return cast(Context, SimpleNamespace(editor=test.editor, viewport=viewport))


def run(test: TestEditor, id_: str) -> None:
    command = COMMANDS[id_]
    context = context_of(test)
    assert command.when(context)
    command.run(context)


def test_that_fit_shows_the_whole_picture(test: TestEditor) -> None:
    run(test, "view.fit")
    assert test.editor.camera == Camera.fitting(100, 80, view_width=400, view_height=300)


def test_that_full_size_and_zoom_keep_the_middle_of_the_view(test: TestEditor) -> None:
    test.editor.set_camera(Camera(3.0, -10.0, 5.0))
    middle = test.editor.camera.to_image(200, 150)
    for id_, scale in (("view.actual_size", 1.0), ("view.zoom_in", 1.25), ("view.zoom_out", 1.0)):
        run(test, id_)
        assert test.editor.camera.scale == pytest.approx(scale)
        assert test.editor.camera.to_image(200, 150) == pytest.approx(middle)


@pytest.mark.parametrize("ratio", [1.5, 2.0])
def test_that_at_full_size_a_pixel_of_the_picture_is_one_of_the_screen(
    test: TestEditor, ratio: float
) -> None:
    COMMANDS["view.actual_size"].run(context_of(test, ratio))
    assert Placement.of(test.editor.camera, ratio).scale == pytest.approx(1.0)


def test_that_the_selection_is_brought_to_the_middle_and_needs_one(test: TestEditor) -> None:
    assert not COMMANDS["view.fit_selection"].when(context_of(test))
    test.select(1)
    run(test, "view.fit_selection")
    assert test.editor.camera.to_view(70, 45) == pytest.approx((200, 150))
    x0, y0 = test.editor.camera.to_view(60, 40)
    x1, y1 = test.editor.camera.to_view(80, 50)
    assert 0 < x0 < x1 < 400
    assert 0 < y0 < y1 < 300


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        ("view.hide_all", "hide_all"),
        ("view.outline_only", "outline_only"),
        ("view.names", "names"),
        ("view.pixel_grid", "pixel_grid"),
    ],
)
def test_that_a_switch_turns_its_part_of_the_sight_and_says_so(test: TestEditor, id_: str, name: str) -> None:
    checked = COMMANDS[id_].checked
    assert checked is not None
    for _ in range(2):
        before = getattr(test.editor.sight, name)
        assert checked(context_of(test)) is before
        run(test, id_)
        assert getattr(test.editor.sight, name) is not before


def test_that_opacity_goes_in_steps_and_stays_between_none_and_all(test: TestEditor) -> None:
    before = test.editor.sight.opacity
    run(test, "view.more_opaque")
    assert test.editor.sight.opacity == pytest.approx(before + 0.1)
    for _ in range(20):
        run(test, "view.less_opaque")
    assert test.editor.sight.opacity == 0
    for _ in range(20):
        run(test, "view.more_opaque")
    assert test.editor.sight.opacity == 1


def test_that_the_colours_of_the_picture_can_be_put_back(test: TestEditor) -> None:
    plain = test.editor.sight
    assert not COMMANDS["view.reset_adjustment"].when(context_of(test))
    test.editor.see(replace(plain, brightness=0.3, contrast=-0.2, gamma=2.0))
    run(test, "view.reset_adjustment")
    assert test.editor.sight == plain


def test_that_the_brush_grows_and_shrinks_by_the_same(test: TestEditor) -> None:
    before = test.editor.brush_radius
    run(test, "view.larger_brush")
    assert test.editor.brush_radius > before
    run(test, "view.smaller_brush")
    assert test.editor.brush_radius == pytest.approx(before)


def test_that_with_no_image_there_is_nothing_to_zoom(test: TestEditor) -> None:
    test.editor.show(None)
    for id_ in ("view.fit", "view.actual_size", "view.zoom_in", "view.zoom_out"):
        assert not COMMANDS[id_].when(context_of(test))
