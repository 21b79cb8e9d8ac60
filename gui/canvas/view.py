"""The canvas: draws an Editor and hands it what mouse, keys and fingers do. Changes no document.

Picture and masks come from a Frame, that draws anew only what changed; outlines of the selected, names
and what the tool is making are vectors over it.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.document.document import Edit
from engine.document.paint import Rectangle
from engine.media.picture import Rgb
from gui.camera import Camera, Placement
from gui.canvas import preview
from gui.canvas.adjust import table_of
from gui.canvas.colors import UNKNOWN, Light, rgb_of
from gui.canvas.frame import Frame
from gui.canvas.input import CanvasInput
from gui.canvas.labels import LabelMap
from gui.canvas.minimap import Minimap
from gui.canvas.overlay import Overlay
from gui.canvas.pyramid import Pyramid, PyramidBuilder, Scaled
from gui.canvas.vectors import Vectors
from gui.editor import Editor, Sight
from gui.tools.tool import Painted, Shape

_REST_MS = 80
"""Names follow a moving camera and are placed anew when it has rested this long."""

_MANY = 64  # rectangles; from here on drawing all anew is cheaper

_RASTER = ("hide_all", "hidden_classes", "score", "suppressed")
"""What of a Sight says which instances are visible."""


class CanvasView(QWidget):
    """Shows what an editor has. Close it, or call `stop`, to end its thread."""

    space_tapped = Signal()
    menu_wanted = Signal(QPoint)  # on the screen
    moving_pressed = Signal()  # a moving picture was clicked

    def __init__(self, editor: Editor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor = editor
        self._frame = Frame()
        self._plain: Pyramid | None = None  # the picture as it is, also while a lens is before it
        self._builder = PyramidBuilder()
        self._minimap = Minimap()
        self._vectors = Vectors(editor)
        self._input = CanvasInput(editor, self._minimap)
        self._sight = editor.sight
        self._shapes: tuple[Shape, ...] = ()
        self._image_size = (0, 0)
        self._is_moving = False
        self._fitted_to = QSize()
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._repaint)
        self.setAccessibleName(self.tr("Canvas"))
        self.setAccessibleDescription(
            self.tr("The picture with its instances. Arrow keys move it, Enter finishes a shape.")
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        if sys.platform != "darwin":  # there a pinch comes as a native gesture already
            self.grabGesture(Qt.GestureType.PinchGesture)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        editor.level_for = self._level_for
        self._connect()
        self._take_classes()
        self._take_image()
        self._update_cursor()

    def _connect(self) -> None:
        editor = self._editor
        editor.image_changed.connect(self._take_image)
        editor.edited.connect(self._take_edit)
        editor.selection_changed.connect(self._take_selection)
        editor.hover_changed.connect(self._repaint)
        editor.tool_changed.connect(self._update_cursor)
        editor.preview_changed.connect(self._take_preview)
        editor.marks_changed.connect(self.update)
        editor.camera_changed.connect(self._take_camera)
        editor.sight_changed.connect(self._take_sight)
        editor.lens_changed.connect(self._take_lens)
        editor.classes_changed.connect(self._take_classes)
        self._builder.built.connect(self._take_level)
        self._input.space_tapped.connect(self.space_tapped)
        self._input.menu_wanted.connect(self.menu_wanted)
        self._input.cursor_changed.connect(self._update_cursor)

    def stop(self) -> None:
        """End the thread that builds pyramids."""
        self._builder.stop()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A common size of a view."""
        return QSize(960, 720)

    def show_moving(self, pixels: Rgb) -> None:
        """Show a picture of a film or a camera, without anything to edit, until an image is shown."""
        self._is_moving = True
        self._builder.drop()
        self._frame.pyramid, self._frame.overlay = Pyramid(pixels), None
        if pixels.shape[:2] != self._image_size:
            self._image_size = (pixels.shape[0], pixels.shape[1])
            self._fit_camera()
        self._frame.invalidate()
        self.update()

    # What changed

    def _take_image(self) -> None:
        if self._is_moving and self._editor.shown is None:
            return  # the last picture stays until there is another
        self._is_moving = False
        shown = self._editor.shown
        self._shapes = ()
        self._vectors.painted = None
        if shown is None:
            self._builder.drop()
            self._frame.pyramid = self._frame.overlay = None
            self._minimap.set_picture(None)
        else:
            self._frame.pyramid = self._plain = self._builder.start(shown.picture)
            self._frame.overlay = Overlay(shown.labels or LabelMap(*shown.size))
            self._frame.overlay.see(self._sight)
            self._minimap.set_picture(self._frame.pyramid)
            self._stack()
            self._light()
            if shown.size != self._image_size or self._is_fitted:
                self._image_size = shown.size
                self.fit()
        self._frame.invalidate()
        self._take_camera()
        self._update_cursor()
        self._repaint()

    def _take_edit(self, _edit: Edit) -> None:
        self._draw_image_parts(self._stack())
        self._repaint()

    def _stack(self) -> list[Rectangle]:
        """Take the instances that are visible now."""
        document, overlay = self._editor.document, self._frame.overlay
        if document is None or overlay is None:
            return []
        visible = self._editor.visible
        self._vectors.boxes = [one for one in visible if one.mask is None]
        return overlay.show(document, visible, self._sight, self._vectors.colors)

    def _take_selection(self) -> None:
        self._draw_image_parts(self._light())
        self._repaint()

    def _light(self) -> list[Rectangle]:
        if self._frame.overlay is None:
            return []
        drawn = {one.id for one in self._vectors.outlined()}
        return self._frame.overlay.light(
            {id_: Light.SELECTED if id_ in drawn else Light.MARKED for id_ in self._editor.selection}
        )

    def _take_preview(self) -> None:
        before, self._shapes = self._shapes, self._editor.tool.preview
        camera = self._placement.camera
        self._update_cursor()
        self.update(preview.bounds_of(before, camera) | preview.bounds_of(self._shapes, camera))
        painted = next((shape for shape in self._shapes if isinstance(shape, Painted)), None)
        if self._frame.overlay is None:
            return
        if painted is not None:
            changed = self._frame.overlay.paint(painted, self._vectors.colors.get(painted.class_id, UNKNOWN))
        else:
            changed = self._frame.overlay.end_painting()
        id_ = painted.instance_id if painted is not None else None
        if id_ != self._vectors.painted:
            self._vectors.painted = id_
            changed += self._light()
            self._repaint()
        self._draw_image_parts(changed)

    def _take_sight(self) -> None:
        before, self._sight = self._sight, self._editor.sight
        if any(getattr(before, name) != getattr(self._sight, name) for name in _RASTER):
            self._draw_image_parts(self._stack())
        if _looks(before) != _looks(self._sight):
            self._frame.adjust = table_of(self._sight)
            if self._frame.overlay is not None:
                self._frame.overlay.see(self._sight)
            self._frame.invalidate()
        self._repaint()

    def _take_lens(self) -> None:
        self._frame.pyramid = self._editor.lens or self._plain
        self._minimap.set_picture(self._frame.pyramid)
        self._frame.invalidate()
        self.update()

    def _take_classes(self) -> None:
        self._vectors.colors = {one.id: rgb_of(one.color) for one in self._editor.classes}
        self._draw_image_parts(self._stack())
        self._repaint()

    def _take_camera(self) -> None:
        self._frame.move_to(self._placement)
        self._minimap.place(self._editor.camera, self.width(), self.height())
        self._rest.start()
        self.update()

    def _take_level(self, _pyramid: Pyramid) -> None:
        self._minimap.set_picture(self._frame.pyramid)
        self._frame.invalidate()
        self._repaint()

    def _repaint(self) -> None:
        """Show the vectors anew."""
        self._vectors.forget_names()
        self.update()

    def _draw_image_parts(self, rectangles: list[Rectangle]) -> None:
        ratio = self._frame.placement.ratio
        if len(rectangles) > _MANY:
            self._frame.invalidate()
            self.update()
            return
        for rectangle in rectangles:
            rect = self._frame.invalidate_image(rectangle)
            x0, y0 = int(rect.left() / ratio) - 1, int(rect.top() / ratio) - 1
            self.update(QRect(x0, y0, int(rect.width() / ratio) + 3, int(rect.height() / ratio) + 3))

    # Seeing

    @property
    def _placement(self) -> Placement:
        return Placement.of(self._editor.camera, self.devicePixelRatioF())

    def fit(self) -> None:
        """Show the whole picture."""
        if self._editor.shown is not None or self._is_moving:
            self._fit_camera()

    def _fit_camera(self) -> None:
        self._editor.set_camera(_fitting(self._image_size, self.size()))
        self._fitted_to = self.size()

    @property
    def _is_fitted(self) -> bool:
        return self._editor.camera == _fitting(self._image_size, self._fitted_to)

    def _level_for(self, height: int, width: int) -> int:
        is_kept = (height, width) == self._image_size and not self._is_fitted
        camera = self._editor.camera if is_kept else _fitting((height, width), self.size())
        return Scaled(height, width).level_for(Placement.of(camera, self.devicePixelRatioF()).scale)

    def _update_cursor(self) -> None:
        if self.cursor().shape() is not self._input.cursor:
            self.setCursor(self._input.cursor)

    # Qt

    def event(self, event: QEvent) -> bool:
        """Input goes to CanvasInput, all else to Qt."""
        if self._is_moving and event.type() is QEvent.Type.MouseButtonPress:
            self.moving_pressed.emit()
            return True
        if self._input.handle(event):
            return True
        if event.type() is QEvent.Type.DevicePixelRatioChange:
            self._resize_frame()
        return super().event(event)

    def resizeEvent(self, _event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """A picture that was fitted stays so."""
        was_fitted = self._is_fitted
        self._resize_frame()
        if was_fitted:
            self.fit()
        self._take_camera()

    def _resize_frame(self) -> None:
        ratio = self.devicePixelRatioF()
        self._frame.resize(max(round(self.width() * ratio), 1), max(round(self.height() * ratio), 1))
        self._take_camera()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow the theme."""
        if event.type() is QEvent.Type.PaletteChange:
            self._frame.invalidate()
            self.update()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw what of the view is asked for."""
        self._frame.background = self.palette().color(QPalette.ColorRole.Shadow)  # where the theme puts it
        self._frame.refresh()
        with QPainter(self) as painter:
            self._paint(painter, event.rect())

    def _paint(self, painter: QPainter, part: QRect) -> None:
        """Draw what lies in a part of the view."""
        painter.save()
        painter.scale(1 / self.devicePixelRatioF(), 1 / self.devicePixelRatioF())
        painter.drawImage(0, 0, self._frame.image)
        painter.restore()
        if self._frame.overlay is None:
            return
        camera = self._frame.placement.camera
        labels = self._frame.overlay.labels
        self._vectors.paint(painter, self._frame.placement, QRectF(self.rect()), QRectF(part), labels)
        rgb = self._vectors.colors.get(self._editor.tool.class_id or 0, UNKNOWN)
        preview.draw(painter, self._editor.marks, camera, preview.MARKED)
        preview.draw(painter, self._shapes, camera, rgb)
        if part.intersects(self._minimap.area):
            self._minimap.paint(painter)


def _fitting(image: tuple[int, int], view: QSize) -> Camera:
    """image: height and width."""
    return Camera.fitting(image[1], image[0], view_width=view.width(), view_height=view.height())


def _looks(sight: Sight) -> tuple[object, ...]:
    return sight.opacity, sight.outline_only, sight.brightness, sight.contrast, sight.gamma
