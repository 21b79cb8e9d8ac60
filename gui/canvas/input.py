"""Mouse, wheel, keys and gestures of the canvas, turned into pointer events and camera moves.

The left button works the tool; the middle one, or the left with space held, moves the picture; so does a
trackpad. The wheel zooms to the pointer, or goes through the tool's candidates; with Ctrl it sizes the brush.
The right button selects what it is pressed on and asks for a menu.
Knows no drawing.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture

from gui.canvas.minimap import Minimap
from gui.editor import Editor
from gui.tools.picking import Picker
from gui.tools.tool import Keys, Pointer

TAP_MS = 200
"""A space held shorter than this is tapped."""

_REACH = 7.0  # view pixels from a handle's middle at which it is still hit
_ZOOM_STEP = 1.25  # by a notch of the wheel
_BRUSH_STEP = 1.15
_ARROW_STEP = 64.0  # view pixels
_ARROWS = {
    Qt.Key.Key_Left: (1, 0), Qt.Key.Key_Right: (-1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)
}  # fmt: skip
_CURSORS = {
    "cross": Qt.CursorShape.CrossCursor,
    "arrow": Qt.CursorShape.ArrowCursor,
    "none": Qt.CursorShape.BlankCursor,
    "hand": Qt.CursorShape.PointingHandCursor,
    "busy": Qt.CursorShape.BusyCursor,
}
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_CYCLE = (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)


class CanvasInput(QObject):
    """Hand every event of the view to `handle`."""

    space_tapped = Signal()
    cursor_changed = Signal()
    menu_wanted = Signal(QPoint)  # on the screen

    def __init__(self, editor: Editor, minimap: Minimap) -> None:
        super().__init__()
        self._editor = editor
        self._minimap = minimap
        self._picker = Picker(editor)
        self._pan_from: QPointF | None = None
        self._drags_minimap = False
        self._space_at: int | None = None  # when space went down, ms
        self._space_was_used = False
        self._is_down = False
        self._last: QPointF | None = None
        self._turned = 0.0  # notches of the wheel that have taken no candidate yet

    @property
    def cursor(self) -> Qt.CursorShape:
        """What the pointer looks like now."""
        if self._pan_from is not None:
            return Qt.CursorShape.ClosedHandCursor
        if self._space_at is not None:
            return Qt.CursorShape.OpenHandCursor
        if self._editor.shown is None or self._drags_minimap or self._is_over_minimap:
            return Qt.CursorShape.ArrowCursor
        return _CURSORS.get(self._editor.tool.cursor, Qt.CursorShape.CrossCursor)

    def handle(self, event: QEvent) -> bool:
        """Deal with an event; False leaves it to others."""
        match event:
            case QWheelEvent():
                return self._wheel(event)
            case QNativeGestureEvent():
                return self._native_gesture(event)
            case QMouseEvent():
                return self._mouse(event)
            case QContextMenuEvent():
                return self._menu(event)
            case QKeyEvent():
                return self._key(event)
            case QGestureEvent():
                return self._gesture(event)
        if event.type() is QEvent.Type.Leave:
            self._last = None
            if not self._is_down:
                self._editor.pointer_left()
        elif event.type() is QEvent.Type.FocusOut:
            self._space_at = None
            self.cursor_changed.emit()
        return False

    # Mouse

    def _mouse(self, event: QMouseEvent) -> bool:
        match event.type():
            case QEvent.Type.MouseButtonPress:
                return self._press(event, clicks=1)
            case QEvent.Type.MouseButtonDblClick:
                return self._press(event, clicks=2)
            case QEvent.Type.MouseMove:
                return self._move(event)
            case QEvent.Type.MouseButtonRelease:
                return self._release(event)
        return False

    def _press(self, event: QMouseEvent, *, clicks: int) -> bool:
        at, button = event.position(), event.button()
        is_left = button is Qt.MouseButton.LeftButton
        if self._is_down or self._editor.shown is None:
            return is_left
        if is_left and self._space_at is None and self._minimap.contains(at):
            self._drags_minimap = True
            self._look_at(at)
        elif button is Qt.MouseButton.MiddleButton or (is_left and self._space_at is not None):
            self._space_was_used = True
            self._pan_from = at
        elif is_left:
            self._is_down = True
            self._editor.pointer_down(self._pointer(at, event.modifiers(), clicks))
        else:
            return False
        self.cursor_changed.emit()
        return True

    def _move(self, event: QMouseEvent) -> bool:
        at = event.position()
        was_over = self._is_over_minimap
        self._last = at
        if self._drags_minimap:
            self._look_at(at)
        elif self._pan_from is not None:
            moved = at - self._pan_from
            self._pan_from = at
            self._editor.set_camera(self._editor.camera.moved(moved.x(), moved.y()))
        elif self._is_down:
            self._editor.pointer_move(self._pointer(at, event.modifiers()))
        else:
            self._editor.pointer_hover(self._pointer(at, event.modifiers()))
        if was_over != self._is_over_minimap:
            self.cursor_changed.emit()
        return True

    def _release(self, event: QMouseEvent) -> bool:
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            return False
        if self._drags_minimap:
            self._drags_minimap = False
        elif self._pan_from is not None:
            self._pan_from = None
        elif self._is_down and event.button() is Qt.MouseButton.LeftButton:
            self._is_down = False
            self._editor.pointer_up(self._pointer(event.position(), event.modifiers()))
        self.cursor_changed.emit()
        return True

    def _menu(self, event: QContextMenuEvent) -> bool:
        editor = self._editor
        if editor.shown is None or self._is_down or editor.tool.is_busy:
            return False
        if event.reason() is QContextMenuEvent.Reason.Mouse:  # the key's menu is of what is selected already
            under = self._picker.at(self._pointer(QPointF(event.pos()), event.modifiers()))
            if not set(under) & set(editor.selection):
                editor.select(under[:1])
        self.menu_wanted.emit(event.globalPos())
        return True

    @property
    def _is_over_minimap(self) -> bool:
        return self._last is not None and not self._is_down and self._minimap.contains(self._last)

    def _look_at(self, at: QPointF) -> None:
        self._editor.set_camera(self._minimap.camera_at(at, self._editor.camera))

    def _pointer(self, at: QPointF, modifiers: Qt.KeyboardModifier, clicks: int = 1) -> Pointer:
        camera = self._editor.camera
        keys = Keys.NONE
        for modifier, key in (
            (Qt.KeyboardModifier.ShiftModifier, Keys.SHIFT),
            (Qt.KeyboardModifier.ControlModifier, Keys.CTRL),
            (Qt.KeyboardModifier.AltModifier, Keys.ALT),
        ):
            if modifiers & modifier:
                keys |= key
        x, y = camera.to_image(at.x(), at.y())
        return Pointer(x, y, keys, _REACH / camera.scale, clicks)

    # Wheel, trackpad and touch

    def _wheel(self, event: QWheelEvent) -> bool:
        if self._editor.shown is None:
            return False
        camera, at = self._editor.camera, event.position()
        turned = event.angleDelta()
        is_trackpad = event.phase() is not Qt.ScrollPhase.NoScrollPhase and not event.pixelDelta().isNull()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            factor = _BRUSH_STEP ** (turned.y() / 120)
            self._editor.set_brush_radius(self._editor.brush_radius * factor)
        elif is_trackpad:
            moved = event.pixelDelta()
            self._editor.set_camera(camera.moved(moved.x(), moved.y()))
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._editor.set_camera(camera.moved((turned.y() or turned.x()) / 120 * _ARROW_STEP, 0))
        elif self._editor.tool.has_choice:
            self._choose(turned.y() / 120)
        elif turned.y():
            factor = _ZOOM_STEP ** (turned.y() / 120)
            self._editor.set_camera(camera.zoomed(factor, at=(at.x(), at.y())))
        return True

    def _choose(self, notches: float) -> None:
        """The next candidate for each whole notch towards the person, the one before for the other way."""
        self._turned -= notches
        whole = int(self._turned)
        self._turned -= whole
        if whole:
            self._editor.cycle(whole)

    def _native_gesture(self, event: QNativeGestureEvent) -> bool:
        if event.gestureType() is not Qt.NativeGestureType.ZoomNativeGesture or self._editor.shown is None:
            return False
        at = event.position()
        self._editor.set_camera(self._editor.camera.zoomed(1 + event.value(), at=(at.x(), at.y())))
        return True

    def _gesture(self, event: QGestureEvent) -> bool:
        """Two fingers on a touch screen zoom and move."""
        pinch, widget = event.gesture(Qt.GestureType.PinchGesture), event.widget()
        if not isinstance(pinch, QPinchGesture) or self._editor.shown is None:
            return False
        at, before = (widget.mapFromGlobal(point) for point in (pinch.centerPoint(), pinch.lastCenterPoint()))
        camera = self._editor.camera
        if pinch.state() is not Qt.GestureState.GestureStarted:
            camera = camera.moved(at.x() - before.x(), at.y() - before.y())
        self._editor.set_camera(camera.zoomed(max(pinch.scaleFactor(), 0.01), at=(at.x(), at.y())))
        return True

    # Keys

    def _key(self, event: QKeyEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride:
            if not self._is_ours(event):
                return False
            event.accept()  # it then comes as a key press, though some command has it as its shortcut
            return True
        if event.type() is QEvent.Type.KeyPress:
            return self._key_press(event)
        if event.type() is QEvent.Type.KeyRelease and event.key() == Qt.Key.Key_Space:
            return event.isAutoRepeat() or self._space_up(event)
        return False

    def _is_ours(self, event: QKeyEvent) -> bool:
        """Whether the key is the canvas's even where a command has it."""
        if event.key() in _CYCLE and self._editor.tool.has_choice:
            return not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        making = (*_ENTER, Qt.Key.Key_Escape, Qt.Key.Key_Backspace)
        return event.key() == Qt.Key.Key_Space or (event.key() in making and self._editor.tool.is_busy)

    def _key_press(self, event: QKeyEvent) -> bool:
        key, editor = event.key(), self._editor
        if key == Qt.Key.Key_Space and not event.modifiers():
            if not event.isAutoRepeat() and self._space_at is None:
                self._space_at, self._space_was_used = event.timestamp(), False
                self.cursor_changed.emit()
        elif key in _ENTER and editor.tool.is_busy:
            editor.commit()
        elif key in _CYCLE and editor.tool.has_choice:
            is_back = key == Qt.Key.Key_Backtab or event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            editor.cycle(-1 if is_back else 1)
        elif key == Qt.Key.Key_Backspace and editor.tool.is_busy:
            editor.back()
        elif key == Qt.Key.Key_Escape:
            editor.cancel()
        elif key in _ARROWS and editor.shown is not None:
            far = _ARROW_STEP * (4 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
            dx, dy = _ARROWS[Qt.Key(key)]
            editor.set_camera(editor.camera.moved(dx * far, dy * far))
        else:
            return False
        return True

    def _space_up(self, event: QKeyEvent) -> bool:
        pressed, self._space_at = self._space_at, None
        self.cursor_changed.emit()
        was_tapped = (
            pressed is not None
            and event.timestamp() - pressed < TAP_MS
            and not self._space_was_used
            and not self._is_down
            and not self._editor.tool.is_busy
        )
        if was_tapped:
            self.space_tapped.emit()
        return pressed is not None
