"""The canvas as a whole: what an editor's state looks like on the screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from engine.document.document import Document
from engine.document.masks import EMPTY, MaskCanvas
from engine.document.records import ClassDef, MediaItem, Provenance
from engine.media.picture import Rgb
from gui.camera import Camera
from gui.editor import Shown
from gui.pictures import Coming
from gui.tools.tool import Disc, Handles, Line, Look, Painted, Shape, Tool
from tests.gui.canvas.conftest import Canvas, Open
from tests.gui.drive import CLASSES, rectangle

RED, BLUE = (0xCC, 0x33, 0x11), (0x00, 0x77, 0xBB)
GREY = np.full((200, 300, 3), 100, dtype=np.uint8)
WHITE = [255, 255, 255]


def is_near(pixel: list[int], wanted: object, by: int = 3) -> bool:
    return bool(np.abs(np.array(pixel) - np.asarray(wanted)).max() <= by)


def over(rgb: tuple[int, int, int], opacity: float) -> object:
    return np.array(rgb) * opacity + 100 * (1 - opacity)


def see(canvas: Canvas, **fields: object) -> None:
    canvas.editor.see(replace(canvas.editor.sight, **fields))  # type: ignore[arg-type]


def test_that_a_new_image_is_fitted_and_has_its_instances_in_their_classes_colours(open_canvas: Open) -> None:
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), rectangle(2, 150, 90, 60, 60, class_id=2), pixels=GREY)
    assert canvas.editor.camera == Camera.fitting(300, 200, view_width=400, view_height=300)
    opacity = canvas.editor.sight.opacity
    assert is_near(canvas.at(50, 50), over(RED, opacity))
    assert is_near(canvas.at(180, 120), over(BLUE, opacity))
    assert is_near(canvas.at(120, 50), [100, 100, 100])


def test_that_what_is_hidden_is_not_seen_and_comes_back(open_canvas: Open) -> None:
    proposal = rectangle(2, 150, 90, 60, 60, class_id=2, provenance=Provenance.PREDICTED, score=0.6)
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), proposal, pixels=GREY)
    grey = [100, 100, 100]
    for hidden in (
        {"hide_all": True},
        {"hidden_classes": frozenset({2})},
        {"score": 0.7},
        {"suppressed": frozenset({2})},
    ):
        before = canvas.editor.sight
        see(canvas, **hidden)
        assert is_near(canvas.at(180, 120), grey)
        assert is_near(canvas.at(50, 50), grey) == ("hide_all" in hidden)
        canvas.editor.see(before)
        assert not is_near(canvas.at(180, 120), grey)


def test_that_opacity_and_class_colours_act_at_once(open_canvas: Open) -> None:
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), pixels=GREY)
    see(canvas, opacity=0.8)
    assert is_near(canvas.at(50, 50), over(RED, 0.8))
    canvas.editor.set_classes([ClassDef(1, "bolt", "#00ff00"), CLASSES[1]])
    assert is_near(canvas.at(50, 50), over((0, 255, 0), 0.8))


def test_that_an_edit_is_seen_and_its_undo_too(open_canvas: Open) -> None:
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), pixels=GREY)
    before = canvas.pixels()
    with canvas.editor.edit("Move"):
        canvas.test.document.replace(rectangle(1, 150, 90, 60, 60))
    assert is_near(canvas.at(50, 50), [100, 100, 100])
    assert is_near(canvas.at(180, 120), over(RED, canvas.editor.sight.opacity))
    canvas.test.undo()
    assert np.array_equal(canvas.pixels(), before)


def edge_of(canvas: Canvas, x: float, y: float) -> list[int]:
    """The brightest of the view's pixels round a point of the image."""
    across, down = (round(value) for value in canvas.editor.camera.to_view(x, y))
    around = canvas.pixels()[down - 2 : down + 3, across - 2 : across + 3].reshape(-1, 3)
    return [int(value) for value in around[around.sum(axis=1).argmax()]]


def test_that_the_selected_have_a_white_outline_and_the_others_have_not(open_canvas: Open) -> None:
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), rectangle(2, 150, 90, 60, 60), pixels=GREY)
    assert not is_near(edge_of(canvas, 20, 50), WHITE, by=40)
    canvas.editor.select([1])
    assert is_near(edge_of(canvas, 20, 50), WHITE, by=40)
    assert not is_near(edge_of(canvas, 150, 120), WHITE, by=40)


def test_that_many_selected_instances_have_their_outline_too(open_canvas: Open) -> None:
    records = [
        rectangle(10 * y + x + 1, 30 * x + 5, 20 * y + 5, 20, 12) for x in range(10) for y in range(10)
    ]
    canvas = open_canvas(*{one.id: one for one in records}.values(), pixels=GREY)
    canvas.editor.select(one.id for one in canvas.test.document.instances)
    assert is_near(edge_of(canvas, 5.5, 10), WHITE, by=10)
    canvas.editor.select(())
    assert not is_near(edge_of(canvas, 5.5, 10), WHITE, by=40)


def test_that_the_hovered_instance_has_an_outline_and_its_name(open_canvas: Open) -> None:
    canvas = open_canvas(rectangle(1, 60, 80, 60, 60), pixels=GREY)
    before = canvas.pixels()
    canvas.editor.hover(1)
    changed = (canvas.pixels() != before).any(axis=2)
    x, y = (int(value) for value in canvas.editor.camera.to_view(60, 80))
    assert changed[y - 15 : y - 4, x : x + 20].any(), "a name plate above its corner"
    assert changed[y - 2 : y + 3, x + 40].any(), "an outline"
    canvas.editor.hover(None)
    assert np.array_equal(canvas.pixels(), before)


def test_that_proposals_show_their_names_and_other_instances_only_where_wanted(open_canvas: Open) -> None:
    proposal = rectangle(1, 60, 80, 60, 60, provenance=Provenance.PREDICTED, score=0.9)
    canvas = open_canvas(proposal, rectangle(2, 180, 80, 60, 60), pixels=GREY)

    def has_plate(x: float, y: float) -> bool:
        across, down = (int(value) for value in canvas.editor.camera.to_view(x, y))
        return bool((canvas.pixels()[down - 15 : down - 4, across : across + 20] != 100).any())

    assert has_plate(60, 80)
    assert not has_plate(180, 80)
    see(canvas, names=True)
    assert has_plate(180, 80)
    see(canvas, hide_all=True)
    assert not has_plate(60, 80)


def test_that_an_instance_known_by_its_box_alone_is_seen(open_canvas: Open) -> None:
    canvas = open_canvas(
        replace(rectangle(1, 0, 0, 1, 1), mask=None, box_xyxy=(50.0, 50.0, 90.0, 100.0)), pixels=GREY
    )
    x, y = (int(value) for value in canvas.editor.camera.to_view(50, 70))
    assert (np.abs(canvas.pixels()[y, x - 3 : x + 4] - RED).max(axis=1) < 40).any()
    assert is_near(canvas.at(70, 70), [100, 100, 100])


class Drawing(Tool):
    """A tool that shows what a test tells it to."""

    shapes: tuple[Shape, ...] = ()

    @property
    def preview(self) -> tuple[Shape, ...]:
        return self.shapes


def draw(canvas: Canvas, *shapes: Shape) -> None:
    tool = Drawing(canvas.editor)
    tool.shapes = shapes
    canvas.editor._tool = tool
    canvas.editor.preview_changed.emit()


def test_that_lines_handles_and_discs_of_a_tool_are_drawn_and_taken_away_again(open_canvas: Open) -> None:
    canvas = open_canvas(pixels=GREY)
    before = canvas.pixels()
    square = np.array([[50.0, 50.0], [150.0, 50.0], [150.0, 120.0]])
    x, y = (int(value) for value in canvas.editor.camera.to_view(100, 50))
    for shape, place in (
        (Line(square), (x, y)),
        (Line(square, closed=True, look=Look.GUIDE), (x, y)),
        (Handles(square), tuple(int(value) for value in canvas.editor.camera.to_view(150, 120))),
        (Disc(100.0, 80.0, 30.0), (x, y)),
    ):
        draw(canvas, shape)
        changed = (canvas.pixels() != before).any(axis=2)
        assert changed[place[1] - 4 : place[1] + 5, place[0] - 9 : place[0] + 10].any(), shape
        draw(canvas)
        assert np.array_equal(canvas.pixels(), before), shape


def test_that_a_preview_is_painted_in_its_own_part_of_the_view_only(open_canvas: Open) -> None:
    canvas = open_canvas(pixels=GREY)
    shape = Line(np.array([[50.0, 50.0], [90.0, 70.0]]), look=Look.ACTIVE)
    draw(canvas, shape)
    QApplication.processEvents()
    shown = canvas.pixels()
    draw(canvas)
    draw(canvas, shape)
    QApplication.processEvents()
    screen = canvas.view.screen().grabWindow(canvas.view.winId()).toImage()
    assert screen.size() == canvas.view.size()
    assert np.array_equal(canvas.pixels(), shown)


def test_that_a_mask_is_seen_while_it_is_painted_and_gone_when_that_is_dropped(open_canvas: Open) -> None:
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), pixels=GREY)
    before = canvas.pixels()
    paper = MaskCanvas(canvas.test.mask(1), height=200, width=300)
    draw(canvas, Painted(1, 1, paper, paper.paint([(150, 50)], 20)))
    assert not is_near(canvas.at(150, 50), [100, 100, 100])
    draw(canvas, Painted(1, 1, paper, paper.erase([(50, 50)], 10)))
    assert is_near(canvas.at(50, 50), [100, 100, 100])
    draw(canvas)
    assert np.array_equal(canvas.pixels(), before)


def test_that_a_new_instance_is_painted_in_its_class_s_colour(open_canvas: Open) -> None:
    canvas = open_canvas(pixels=GREY)
    paper = MaskCanvas(EMPTY, height=200, width=300)
    draw(canvas, Painted(None, 2, paper, paper.paint([(150, 50)], 20)))
    red, _, blue = canvas.at(150, 50)
    assert blue > red


def test_that_a_fitted_picture_stays_fitted_and_another_stays_where_it_is(open_canvas: Open) -> None:
    canvas = open_canvas(pixels=GREY)
    canvas.view.resize(500, 350)
    canvas.settle()
    assert canvas.editor.camera == Camera.fitting(300, 200, view_width=500, view_height=350)
    canvas.editor.set_camera(Camera(3.0, -20, -30))
    canvas.view.resize(400, 300)
    canvas.settle()
    assert canvas.editor.camera == Camera(3.0, -20, -30)


def test_that_an_image_of_the_same_size_is_seen_where_the_last_one_was(open_canvas: Open) -> None:
    canvas = open_canvas(pixels=GREY)
    canvas.editor.set_camera(Camera(3.0, -20, -30))
    canvas.test.show(pixels=GREY)
    assert canvas.editor.camera == Camera(3.0, -20, -30)
    canvas.test.show(pixels=GREY[:100])
    assert canvas.editor.camera == Camera.fitting(300, 100, view_width=400, view_height=300)


def test_that_the_new_image_replaces_all_of_the_old_one(open_canvas: Open) -> None:
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), pixels=GREY)
    canvas.editor.select([1])
    canvas.test.show(pixels=np.full((200, 300, 3), (10, 90, 30), dtype=np.uint8))
    canvas.settle()
    assert is_near(canvas.at(50, 50), [10, 90, 30])
    canvas.editor.show(None)
    assert len(np.unique(canvas.pixels().reshape(-1, 3), axis=0)) == 1, "an empty canvas is plain"


def test_that_the_minimap_is_there_when_not_all_is_seen_and_leads_to_where_it_is_pointed(
    open_canvas: Open,
) -> None:
    canvas = open_canvas(pixels=np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8))
    canvas.view.resize(500, 400)
    minimap = canvas.view._minimap
    assert minimap.area.isEmpty()
    canvas.editor.set_camera(Camera(4.0, 0, 0))
    area = minimap.area
    assert not area.isEmpty()
    assert canvas.view.rect().contains(area)
    camera = minimap.camera_at(QPointF(area.center()), canvas.editor.camera)
    x, y = camera.to_image(250, 200)
    assert abs(x - 300) < 8
    assert abs(y - 200) < 8
    canvas.editor.set_camera(camera)
    assert canvas.pixels().std() > 0


def test_that_pixels_seen_large_are_parted_by_a_grid_until_it_is_turned_off(open_canvas: Open) -> None:
    canvas = open_canvas(pixels=GREY)
    canvas.editor.set_camera(Camera(16.0, -800, -800))
    on_lines, between = [(x, 8) for x in range(0, 160, 16)], [(x + 8, 8) for x in range(0, 160, 16)]

    def shades(places: list[tuple[int, int]]) -> set[int]:
        pixels = canvas.pixels()
        return {int(pixels[y, x, 0]) for x, y in places}

    assert shades(between) == {100}
    assert 100 not in shades(on_lines)
    see(canvas, pixel_grid=False)
    assert shades(on_lines) == {100}
    see(canvas, pixel_grid=True)
    canvas.editor.set_camera(Camera(16.0, 200, 0))
    assert len(shades([(x, 8) for x in range(190)])) == 1, "beside the picture there are no pixels"
    canvas.editor.set_camera(Camera(4.0, -400, -400))
    assert shades([(x, 8) for x in range(100)]) == {100}


def test_that_the_canvas_has_a_name_for_those_who_do_not_see_it(open_canvas: Open) -> None:
    view = open_canvas(pixels=GREY).view
    assert view.accessibleName()
    assert view.accessibleDescription()


_SCALED = """
import json
import numpy as np
from PySide6.QtWidgets import QApplication
application = QApplication([])
from gui.canvas.view import CanvasView
from tests.gui.drive import TestEditor, rectangle
test = TestEditor(rectangle(1, 20, 20, 60, 60), pixels=np.full((200, 300, 3), 100, np.uint8))
view = CanvasView(test.editor)
view.resize(401, 301)
view.show()
test.editor.select([1])
application.processEvents()
image = view.grab().toImage()
ratio = view.devicePixelRatioF()
colors = []
for x, y in ((50, 50), (120, 50), (298, 198)):
    across, down = test.editor.camera.to_view(x + 0.5, y + 0.5)
    colors.append(image.pixelColor(int(across * ratio), int(down * ratio)).getRgb()[:3])
print(json.dumps([ratio, image.width(), image.height(), colors]))
view.stop()
"""


def test_that_on_screens_of_odd_pixel_ratios_the_picture_fills_the_same_place(
    application: QApplication,
) -> None:
    root = Path(__file__).parents[3]
    for ratio in ("1.25", "1.5"):
        environment = {**os.environ, "QT_SCALE_FACTOR": ratio, "QT_QPA_PLATFORM": "offscreen"}
        done = subprocess.run(
            [sys.executable, "-c", _SCALED],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        shown, width, height, (mask, picture, corner) = json.loads(done.stdout)
        assert shown == float(ratio)
        assert abs(width - 401 * shown) <= 1
        assert abs(height - 301 * shown) <= 1
        assert mask[0] > 140 > mask[2]
        assert picture == corner == [100, 100, 100]


def test_that_a_shown_document_can_be_swapped_for_another_of_the_same_picture(open_canvas: Open) -> None:
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), pixels=GREY)
    other = Document({5: rectangle(5, 150, 90, 60, 60)})
    canvas.editor.show(Shown(MediaItem(1, "a.png", width=300, height=200), GREY, other))
    assert is_near(canvas.at(50, 50), [100, 100, 100])
    assert is_near(canvas.at(180, 120), over(RED, canvas.editor.sight.opacity))


def test_that_an_outlines_handles_are_those_of_what_is_selected_however_that_was_done(
    open_canvas: Open,
) -> None:
    canvas = open_canvas(rectangle(1, 20, 20, 60, 60), rectangle(2, 150, 90, 60, 60), pixels=GREY)
    canvas.editor.set_tool("vertex")
    plain = canvas.pixels()
    canvas.editor.select([1])
    first = canvas.pixels()
    canvas.editor.select([2])
    second = canvas.pixels()

    def corner(x: float, y: float) -> tuple[slice, slice]:
        across, down = canvas.editor.camera.to_view(x, y)
        return slice(int(down) - 2, int(down) + 3), slice(int(across) - 2, int(across) + 3)

    assert not np.array_equal(first[corner(80, 20)], plain[corner(80, 20)])
    assert np.array_equal(second[corner(80, 20)], plain[corner(80, 20)]), "the first one's handle is gone"
    assert np.array_equal(second[corner(210, 90)], first[corner(80, 20)]), "handles look alike"


def test_that_a_picture_still_coming_is_seen_small_and_exact_as_soon_as_one_zooms_in(
    open_canvas: Open,
) -> None:
    canvas = open_canvas(pixels=GREY)
    pixels = np.random.default_rng(0).integers(0, 256, (800, 1200, 3), np.uint8)
    small = np.full((200, 300, 3), 77, np.uint8)
    asked: list[int] = []

    def read() -> Rgb:
        is_gui = threading.current_thread() is threading.main_thread()
        while not is_gui and not asked:  # the levels come late
            time.sleep(0.001)
        if is_gui:
            asked.append(1)
        return pixels

    assert canvas.editor.level_for(800, 1200) == 1
    assert canvas.editor.level_for(1600, 2400) == 2
    coming = Coming((800, 1200, 3), 2, small, read)
    canvas.editor.show(Shown(MediaItem(1, "a.jpg", width=1200, height=800), coming, Document({})))
    canvas.editor.set_camera(Camera(0.25, 10, 10))
    assert canvas.at(600, 400) == [77, 77, 77]
    assert not asked
    canvas.editor.set_camera(Camera(1.0, -500, -300))
    assert canvas.at(600, 400) == pixels[400, 600].tolist()
    assert canvas.editor.level_for(800, 1200) == 0, "the next one of its size is seen from there too"
    assert canvas.editor.level_for(1600, 2400) == 2, "another is fitted"
