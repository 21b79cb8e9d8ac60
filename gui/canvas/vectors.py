"""What is drawn as vectors over picture and masks: the outlines of a few instances, their names, the grid."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF, QTransform

from engine.document.records import Box, ClassDef, Instance
from gui.camera import Camera, Placement
from gui.canvas.chips import Chips, Plate
from gui.canvas.colors import UNKNOWN, Rgb8
from gui.canvas.labels import LabelMap
from gui.canvas.outlines import Outlines
from gui.editor import Editor

MOST_SELECTED, MOST_CORNERS = 24, 5_000
"""Of more selected instances, or more corners of them together, the raster shows the outlines."""

GRID_SCALE = 10.0
"""View pixels an image pixel from which on the grid of pixels is drawn."""

_OUTLINE = 1.6  # view pixels
_LEAST_NAMED = 36.0  # view pixels of an instance's longer side for its name to be shown
_MOST_NAMED = 150  # are tried


class Vectors:
    """Draws an editor's instances; keeps only what is cheaper to keep than to make again."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._outlines = Outlines()
        self._chips = Chips()
        self.colors: Mapping[int, Rgb8] = {}
        self.painted: int | None = None
        """The instance that is being painted: its outline is out of date."""
        self.boxes: list[Instance] = []
        """Visible instances that are known by a box alone."""
        self._plates: list[tuple[Plate, float, float]] | None = None  # and the box's corner in the image

    def forget_names(self) -> None:
        """What is shown of the instances changed, or the camera rests: names are placed anew."""
        self._plates = None

    def outlined(self) -> list[Instance]:
        """The selected instances whose outlines are drawn as vectors: few, and simple enough."""
        if len(self._editor.selection) > MOST_SELECTED:
            return []
        found, corners = [], 0
        for one in self._editor.selected:
            corners += self._outlines.length(one.mask) if one.mask is not None else 4
            if corners > MOST_CORNERS:
                break
            if one.id != self.painted:
                found.append(one)
        return found

    def paint(
        self, painter: QPainter, placement: Placement, area: QRectF, part: QRectF, labels: LabelMap
    ) -> None:
        """Draw outlines, grid and names. painter: in view pixels. area: the view. part: what is asked for."""
        camera, sight = placement.camera, self._editor.sight
        if sight.pixel_grid and camera.scale >= GRID_SCALE:
            self._grid(painter, camera, area, labels.labels.shape)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if not sight.hide_all:
            self._boxes(painter, camera)
            self._hovered(painter, placement)
        for one in self.outlined():
            self._draw_outline(painter, one, placement, QColor(255, 255, 255))
        if not sight.hide_all:
            if self._plates is None:
                self._plates = self._placed(painter, camera, area, labels)
            ratio = placement.ratio
            for plate, x, y in self._plates:
                at = QPointF(*camera.to_view(x, y)) + plate.offset
                at = QPointF(round(at.x() * ratio) / ratio, round(at.y() * ratio) / ratio)
                if QRectF(at, plate.pixmap.deviceIndependentSize()).intersects(part):
                    painter.drawPixmap(at, plate.pixmap)

    def _draw_outline(
        self, painter: QPainter, instance: Instance, placement: Placement, color: QColor
    ) -> None:
        camera = placement.camera
        if instance.mask is not None and not instance.mask.is_empty:
            rings = self._outlines.rings(instance.mask, placement.scale)
        else:
            x0, y0, x1, y1 = instance.bounds_xyxy
            rings = [QPolygonF(QRectF(x0, y0, x1 - x0, y1 - y0))]
        placed = [
            QTransform(camera.scale, 0, 0, camera.scale, camera.x, camera.y).map(ring) for ring in rings
        ]
        for pen in (QPen(QColor(0, 0, 0, 170), _OUTLINE + 2), QPen(color, _OUTLINE)):
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            painter.setPen(pen)
            for ring in placed:  # one by one: a path of them all would cost many times more
                painter.drawPolygon(ring)

    def _boxes(self, painter: QPainter, camera: Camera) -> None:
        """Instances that are known by a box alone."""
        for one in self.boxes:
            pen = QPen(QColor(*self.colors.get(one.class_id, UNKNOWN)), 1.6)
            if one.provenance.is_proposal:
                pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.drawRect(_in_view(one.bounds_xyxy, camera))

    def _hovered(self, painter: QPainter, placement: Placement) -> None:
        id_ = self._editor.hovered
        one = self._record(id_) if id_ is not None and id_ not in self._editor.selection else None
        if one is None or id_ == self.painted:
            return
        if one.mask is not None and self._outlines.length(one.mask) > MOST_CORNERS:
            return
        color = QColor(*self.colors.get(one.class_id, UNKNOWN)).lighter(135)
        self._draw_outline(painter, one, placement, color)

    def _record(self, id_: int) -> Instance | None:
        document = self._editor.document
        record = document.records.get(id_) if document is not None else None
        return record if isinstance(record, Instance) else None

    # Names

    def _placed(
        self, painter: QPainter, camera: Camera, area: QRectF, labels: LabelMap
    ) -> list[tuple[Plate, float, float]]:
        """Name plates, those of what is hovered and selected first, then of large instances."""
        editor = self._editor
        plates: list[tuple[Plate, float, float]] = []
        names = {one.id: one for one in editor.classes}
        self._chips.begin(painter, area)
        selected = set(editor.selection)
        first = [id_ for id_ in (editor.hovered, *editor.selection[:MOST_SELECTED]) if id_ is not None]
        seen = [*camera.to_image(0, 0), *camera.to_image(area.width(), area.height())]
        tried = 0
        for id_ in dict.fromkeys([*first, *labels.ids_within(*seen, least=_LEAST_NAMED / camera.scale)]):
            one = self._record(id_)
            if one is None:
                continue
            if tried >= _MOST_NAMED:
                break
            is_first = id_ in selected or id_ == editor.hovered
            if not (is_first or editor.sight.names or one.provenance.is_proposal):
                continue
            tried += 1
            bounds = one.mask.box_xyxy if one.mask is not None else one.bounds_xyxy
            box = _in_view(bounds, camera)
            if not box.intersects(area):
                continue
            rgb = self.colors.get(one.class_id, UNKNOWN)
            text = _name(one, names.get(one.class_id))
            plate = self._chips.place(text, rgb, box, strong=is_first, always=id_ == editor.hovered)
            if plate is not None:
                plates.append((plate, bounds[0], bounds[1]))
        return plates

    # Grid

    @staticmethod
    def _grid(painter: QPainter, camera: Camera, area: QRectF, size: tuple[int, ...]) -> None:
        """Lines between the pixels of the picture, whose height and width are `size`."""
        picture = QRectF(QPointF(*camera.to_view(0, 0)), QPointF(*camera.to_view(size[1], size[0]))) & area
        if picture.isEmpty():
            return
        x0, y0 = camera.to_image(picture.left(), picture.top())
        x1, y1 = camera.to_image(picture.right(), picture.bottom())
        painter.setPen(QPen(QColor(128, 128, 128, 90), 0))
        lines = []
        for x in range(ceil(x0), ceil(x1)):
            at = camera.to_view(x, 0)[0]
            lines.append(QLineF(at, picture.top(), at, picture.bottom()))
        for y in range(ceil(y0), ceil(y1)):
            at = camera.to_view(0, y)[1]
            lines.append(QLineF(picture.left(), at, picture.right(), at))
        painter.drawLines(lines)


def _in_view(box: Box, camera: Camera) -> QRectF:
    x0, y0, x1, y1 = box
    return QRectF(QPointF(*camera.to_view(x0, y0)), QPointF(*camera.to_view(x1, y1)))


def _name(instance: Instance, class_: ClassDef | None) -> str:
    name = class_.name if class_ is not None else "?"
    if instance.provenance.is_proposal and instance.score is not None:
        return f"{name} {instance.score:.2f}"
    return name
