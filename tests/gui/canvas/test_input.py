"""Mouse, wheel and keys on the canvas, as a person uses them."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QContextMenuEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from engine.document.records import Instance
from gui.camera import Camera
from gui.tools.tool import Keys, Pointer, Tool
from tests.gui.canvas.conftest import Canvas, Open
from tests.gui.making import square

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
PICTURE = np.full((200, 300, 3), 100, dtype=np.uint8)
Call = tuple[str, Pointer | None]


class Recorder(Tool):
    """A tool that keeps what it is told."""

    cursor = "cross"
    busy = False

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas.editor)
        self.calls: list[Call] = []

    @property
    def is_busy(self) -> bool:
        return self.busy

    def begin(self, at: Pointer) -> None:
        self.calls.append(("begin", at))

    def move(self, at: Pointer) -> None:
        self.calls.append(("move", at))

    def end(self, at: Pointer) -> None:
        self.calls.append(("end", at))

    def hover(self, at: Pointer) -> None:
        self.calls.append(("hover", at))

    def leave(self) -> None:
        self.calls.append(("leave", None))

    def commit(self) -> None:
        self.calls.append(("commit", None))

    def back(self) -> None:
        self.calls.append(("back", None))

    def cancel(self) -> None:
        self.calls.append(("cancel", None))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def canvas(open_canvas: Open) -> Canvas:
    """A canvas seen through a camera of scale 2, with a Recorder for a tool."""
    canvas = open_canvas(pixels=PICTURE)
    canvas.editor.set_camera(Camera(2.0, 10.0, 20.0))
    canvas.editor._tool = Recorder(canvas)
    canvas.editor.tool_changed.emit()
    canvas.view.setFocus()
    return canvas


def recorder(canvas: Canvas) -> Recorder:
    tool = canvas.editor.tool
    assert isinstance(tool, Recorder)
    return tool


def drag(canvas: Canvas, button: Qt.MouseButton, *points: QPoint) -> None:
    QTest.mousePress(canvas.view, button, pos=points[0])
    for point in points[1:]:
        move(canvas, point, button)
    QTest.mouseRelease(canvas.view, button, pos=points[-1])


def move(canvas: Canvas, to: QPoint, button: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    """QTest moves with no button down."""
    at = QPointF(to)
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, canvas.view.mapToGlobal(at), Qt.MouseButton.NoButton, button,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(canvas.view, event)


def wheel(
    canvas: Canvas,
    notches: float,
    keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    pixels: QPoint | None = None,
) -> None:
    at = QPointF(150, 100)
    phase = Qt.ScrollPhase.NoScrollPhase if pixels is None else Qt.ScrollPhase.ScrollUpdate
    event = QWheelEvent(
        at, canvas.view.mapToGlobal(at), pixels or QPoint(), QPoint(0, round(120 * notches)),
        Qt.MouseButton.NoButton, keys, phase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas.view, event)


def test_that_a_drag_is_a_gesture_in_image_pixels(canvas: Canvas) -> None:
    drag(canvas, LEFT, QPoint(110, 120), QPoint(130, 120))
    calls = [(name, at.x, at.y) for name, at in recorder(canvas).calls if at is not None]
    assert calls[:2] == [("begin", 50.0, 50.0), ("move", 60.0, 50.0)]
    assert calls[-1] == ("end", 60.0, 50.0)


def test_that_a_double_click_begins_with_two_clicks_and_modifiers_are_told(canvas: Canvas) -> None:
    QTest.mouseDClick(canvas.view, LEFT, pos=QPoint(50, 60))
    assert [at.clicks for name, at in recorder(canvas).calls if at and name == "begin"][-1] == 2
    keys = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier
    QTest.mouseClick(canvas.view, LEFT, keys, pos=QPoint(50, 60))
    name, at = recorder(canvas).calls[-1]
    assert at is not None
    assert (name, at.keys) == ("end", Keys.SHIFT | Keys.ALT)


def test_that_a_handle_can_be_grabbed_from_as_far_on_the_screen_at_every_zoom(canvas: Canvas) -> None:
    reaches = []
    for scale in (0.5, 8.0):
        canvas.editor.set_camera(Camera(scale, 0, 0))
        move(canvas, QPoint(30, 30))
        at = recorder(canvas).calls[-1][1]
        assert at is not None
        reaches.append(at.reach * scale)
    assert reaches[0] == reaches[1] >= 4


def test_that_moving_hovers_and_leaving_is_told(canvas: Canvas) -> None:
    move(canvas, QPoint(110, 120))
    QApplication.sendEvent(canvas.view, QEvent(QEvent.Type.Leave))
    assert recorder(canvas).names == ["hover", "leave"]


def test_that_the_middle_button_moves_the_picture_and_not_the_tool(canvas: Canvas) -> None:
    drag(canvas, MIDDLE, QPoint(100, 100), QPoint(130, 90))
    assert canvas.editor.camera == Camera(2.0, 40.0, 10.0)
    assert recorder(canvas).calls == []


def test_that_the_left_button_moves_the_picture_while_space_is_held(canvas: Canvas) -> None:
    taps: list[int] = []
    canvas.view.space_tapped.connect(lambda: taps.append(1))
    QTest.keyPress(canvas.view, Qt.Key.Key_Space)
    assert canvas.view.cursor().shape() is Qt.CursorShape.OpenHandCursor
    drag(canvas, LEFT, QPoint(100, 100), QPoint(130, 90))
    QTest.keyRelease(canvas.view, Qt.Key.Key_Space)
    assert canvas.editor.camera == Camera(2.0, 40.0, 10.0)
    assert recorder(canvas).calls == []
    assert taps == [], "it was used for moving"
    assert canvas.view.cursor().shape() is Qt.CursorShape.CrossCursor


def space(canvas: Canvas, kind: str, at_ms: int) -> None:
    type_ = QEvent.Type.KeyPress if kind == "press" else QEvent.Type.KeyRelease
    event = QKeyEvent(type_, Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier, " ")
    event.setTimestamp(at_ms)
    QApplication.sendEvent(canvas.view, event)


@pytest.mark.parametrize(("held", "is_tap"), [(0, True), (199, True), (200, False), (900, False)])
def test_that_a_space_is_tapped_when_it_was_held_shortly(canvas: Canvas, held: int, is_tap: bool) -> None:
    taps: list[int] = []
    canvas.view.space_tapped.connect(lambda: taps.append(1))
    space(canvas, "press", 5_000)
    space(canvas, "release", 5_000 + held)
    assert bool(taps) is is_tap


def test_that_a_space_tapped_in_the_middle_of_a_shape_accepts_nothing(canvas: Canvas) -> None:
    taps: list[int] = []
    canvas.view.space_tapped.connect(lambda: taps.append(1))
    recorder(canvas).busy = True
    space(canvas, "press", 5_000)
    space(canvas, "release", 5_010)
    assert taps == []


def test_that_the_wheel_zooms_to_the_pointer(canvas: Canvas) -> None:
    before = canvas.editor.camera.to_image(150, 100)
    wheel(canvas, 2)
    assert canvas.editor.camera.scale == pytest.approx(2 * 1.25**2)
    assert canvas.editor.camera.to_image(150, 100) == pytest.approx(before)
    wheel(canvas, -2)
    assert canvas.editor.camera.scale == pytest.approx(2)


def test_that_ctrl_and_the_wheel_size_the_brush(canvas: Canvas) -> None:
    radius = canvas.editor.brush_radius
    wheel(canvas, 1, Qt.KeyboardModifier.ControlModifier)
    assert canvas.editor.brush_radius > radius
    assert canvas.editor.camera == Camera(2.0, 10.0, 20.0)
    wheel(canvas, -1, Qt.KeyboardModifier.ControlModifier)
    assert canvas.editor.brush_radius == pytest.approx(radius)


def test_that_two_fingers_on_a_trackpad_move_the_picture(canvas: Canvas) -> None:
    wheel(canvas, 0.1, pixels=QPoint(-7, 12))
    assert canvas.editor.camera == Camera(2.0, 3.0, 32.0)


def test_that_arrows_move_the_picture(canvas: Canvas) -> None:
    QTest.keyClick(canvas.view, Qt.Key.Key_Right)
    QTest.keyClick(canvas.view, Qt.Key.Key_Down)
    assert canvas.editor.camera.x < 10
    assert canvas.editor.camera.y < 20


def test_that_enter_finishes_escape_drops_and_backspace_takes_back_a_point(canvas: Canvas) -> None:
    recorder(canvas).busy = True
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Backspace, Qt.Key.Key_Escape):
        QTest.keyClick(canvas.view, key)
    assert recorder(canvas).names == ["commit", "commit", "back", "cancel"]


def test_that_a_command_gets_enter_only_while_the_tool_has_nothing_in_hand(
    canvas: Canvas, application: QApplication
) -> None:
    window = QWidget()
    layout = QVBoxLayout(window)
    layout.addWidget(canvas.view)
    accepted: list[int] = []
    action = QAction("Accept", window)
    action.setShortcut("Return")
    action.triggered.connect(lambda: accepted.append(1))
    window.addAction(action)
    window.show()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    canvas.view.setFocus()
    QTest.keyClick(canvas.view, Qt.Key.Key_Return)
    assert (len(accepted), recorder(canvas).names) == (1, [])
    recorder(canvas).busy = True
    QTest.keyClick(canvas.view, Qt.Key.Key_Return)
    assert (len(accepted), recorder(canvas).names) == (1, ["commit"])
    canvas.view.setParent(None)
    window.close()
    window.deleteLater()


def test_that_with_no_image_nothing_is_begun(canvas: Canvas) -> None:
    canvas.editor.show(None)
    recorder(canvas).calls.clear()
    drag(canvas, LEFT, QPoint(10, 10), QPoint(50, 50))
    wheel(canvas, 1)
    assert recorder(canvas).calls == []
    assert canvas.editor.camera == Camera(2.0, 10.0, 20.0)


def test_that_the_minimap_takes_the_pointer_where_it_lies(canvas: Canvas) -> None:
    canvas.view.resize(500, 400)
    canvas.editor.set_camera(Camera(8.0, 0.0, 0.0))
    recorder(canvas).calls.clear()
    area = canvas.view._minimap.area
    drag(canvas, LEFT, area.center(), area.center() + QPoint(20, 0))
    assert "begin" not in recorder(canvas).names
    x, y = canvas.editor.camera.to_image(250, 200)
    assert x > 160
    assert y == pytest.approx(100, abs=5)


def ask_for_menu(canvas: Canvas, at: QPoint, *, by_key: bool = False) -> None:
    reason = QContextMenuEvent.Reason.Keyboard if by_key else QContextMenuEvent.Reason.Mouse
    QApplication.sendEvent(canvas.view, QContextMenuEvent(reason, at, canvas.view.mapToGlobal(at)))


ON_THE_LEFT, ON_THE_RIGHT, ON_NOTHING = QPoint(12, 12), QPoint(112, 12), QPoint(60, 60)


@pytest.fixture
def two_squares(open_canvas: Open) -> Canvas:
    """Instance 1 on the left and 2 on the right, at one view pixel an image pixel."""
    canvas = open_canvas(Instance(1, 1, square(2, 2, 20)), Instance(2, 1, square(102, 2, 20)), pixels=PICTURE)
    canvas.editor.set_camera(Camera(1.0, 0.0, 0.0))
    return canvas


@pytest.mark.parametrize(
    ("selected", "pressed", "then"),
    [
        ((), ON_THE_LEFT, (1,)),
        ((1,), ON_THE_RIGHT, (2,)),
        ((1, 2), ON_THE_RIGHT, (1, 2)),
        ((1,), ON_NOTHING, ()),
    ],
)
def test_that_the_right_button_selects_what_its_menu_is_about(
    two_squares: Canvas, selected: tuple[int, ...], pressed: QPoint, then: tuple[int, ...]
) -> None:
    places: list[QPoint] = []
    two_squares.view.menu_wanted.connect(places.append)
    two_squares.editor.select(selected)
    ask_for_menu(two_squares, pressed)
    assert two_squares.editor.selection == then
    assert places == [two_squares.view.mapToGlobal(pressed)]


def test_that_the_menu_key_keeps_the_selection(two_squares: Canvas) -> None:
    places: list[QPoint] = []
    two_squares.view.menu_wanted.connect(places.append)
    two_squares.editor.select([1])
    ask_for_menu(two_squares, ON_THE_RIGHT, by_key=True)
    assert two_squares.editor.selection == (1,)
    assert len(places) == 1


def test_that_no_menu_comes_in_the_middle_of_a_shape(canvas: Canvas) -> None:
    places: list[QPoint] = []
    canvas.view.menu_wanted.connect(places.append)
    recorder(canvas).busy = True
    ask_for_menu(canvas, ON_NOTHING)
    assert places == []
