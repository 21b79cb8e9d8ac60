"""The canvas under load: pan, zoom, brush, select, switch; and against a view of one path item an instance.

Theirs is what the labelling tools of this field do (labelme, X-AnyLabeling, ISAT): a QGraphicsView with the
picture as a pixmap and a QGraphicsPathItem for each instance. Both draw 1600 x 1000 view pixels offscreen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainterPath, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QApplication, QGraphicsPathItem, QGraphicsScene, QGraphicsView

from engine.document.document import Document
from engine.document.masks import Mask, MaskCanvas, to_polygons
from engine.document.records import ClassDef, Instance, MediaItem, Provenance
from engine.media.picture import Rgb
from gui.canvas.view import CanvasView
from gui.editor import Editor, Shown
from gui.tools.tool import Disc, Painted, Shape, Tool
from tests.bench.conftest import Row

VIEW = (1600, 1000)
CLASSES = tuple(
    ClassDef(id_, f"class {id_}", color) for id_, color in enumerate(("#cc3311", "#0077bb", "#009988"))
)
INSTANCES = 5000


@pytest.fixture(scope="module")
def application() -> QApplication:
    found = QApplication.instance()
    return found if isinstance(found, QApplication) else QApplication(["maskwright-bench"])


def picture(height: int, width: int) -> Rgb:
    small = np.random.default_rng(0).integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def shown(pixels: Rgb, count: int, seed: int = 0) -> Shown:
    """A picture with that many discs of 20 to 60 pixels' radius on it, a third of them proposals."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    records = {}
    for id_ in range(1, count + 1):
        radius = int(rng.integers(20, 60))
        y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
        left, top = int(rng.integers(0, width - 2 * radius)), int(rng.integers(0, height - 2 * radius))
        is_proposal = id_ % 3 == 0
        records[id_] = Instance(
            id_,
            int(rng.integers(len(CLASSES))),
            Mask.from_crop(left, top, x * x + y * y <= radius * radius),
            score=0.9 if is_proposal else None,
            provenance=Provenance.PREDICTED if is_proposal else Provenance.DRAWN,
            z=id_,
        )
    return Shown(MediaItem(1, "a.png", width=width, height=height), pixels, Document(records))


@pytest.fixture
def view(application: QApplication) -> Iterator[CanvasView]:
    editor = Editor()
    editor.set_classes(CLASSES)
    view = CanvasView(editor)
    view.resize(*VIEW)
    view.show()
    application.processEvents()
    yield view
    view.stop()
    view.close()
    view.deleteLater()


def settle(view: CanvasView) -> None:
    """Wait until the picture's levels are built."""
    pyramid, deadline = view._frame.pyramid, time.monotonic() + 60
    assert pyramid is not None
    while pyramid.image(1) is None and time.monotonic() < deadline:
        QApplication.processEvents()
        time.sleep(0.01)
    time.sleep(0.5)  # and the picture itself as RGB32
    QApplication.processEvents()


class Times:
    """Milliseconds of the clock, and of the processor: all threads, whatever else the machine does."""

    def __init__(self, act: Callable[[int], None], count: int) -> None:
        self.wall, self.cpu = [], []
        for number in range(count):
            wall, cpu = time.perf_counter(), time.process_time()
            act(number)
            QApplication.processEvents()
            self.wall.append(1000 * (time.perf_counter() - wall))
            self.cpu.append(1000 * (time.process_time() - cpu))

    def p95(self) -> str:
        return f"{np.percentile(self.wall, 95):.1f} ms ({np.percentile(self.cpu, 95):.1f} of the processor)"

    def worst(self) -> str:
        return f"{max(self.wall):.0f} ms ({max(self.cpu):.0f} of the processor)"

    def ratio_to(self, other: Times) -> float:
        """How many times faster this is, by the medians of the processor's time."""
        return float(np.median(other.cpu) / np.median(self.cpu))


class Peers(QGraphicsView):
    """One path item an instance, as the tools of this field do it."""

    def __init__(self, image: Shown) -> None:
        scene = QGraphicsScene()
        super().__init__(scene)
        self._kept = scene
        height, width = image.size
        pixels = QImage(image.pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        scene.addPixmap(QPixmap.fromImage(pixels))
        for one in image.document.instances:
            assert one.mask is not None
            path = QPainterPath()
            for polygon in to_polygons(one.mask):
                path.addPolygon(QPolygonF([QPointF(x, y) for x, y in polygon.exterior.tolist()]))
                path.closeSubpath()
            item = QGraphicsPathItem(path)
            color = QColor(CLASSES[one.class_id].color)
            pen = QPen(color, 2, Qt.PenStyle.DashLine if one.score else Qt.PenStyle.SolidLine)
            pen.setCosmetic(True)
            item.setPen(pen)
            color.setAlphaF(0.45)
            item.setBrush(color)
            scene.addItem(item)
        self.resize(*VIEW)
        self.show()
        self.fitInView(QRectF(0, 0, width, height), Qt.AspectRatioMode.KeepAspectRatio)
        QApplication.processEvents()

    def pan(self, dx: int) -> None:
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - dx)
        self.viewport().update()

    def zoom(self, factor: float) -> None:
        self.scale(factor, factor)


def forth_and_back(number: int) -> int:
    return 1 if number // 10 % 2 == 0 else -1


@pytest.mark.bench
@pytest.mark.timeout(1200)
def test_pan_and_zoom_with_5000_masks_on_24_megapixels(view: CanvasView, row: Row) -> None:
    editor = view._editor
    image = shown(picture(4000, 6000), INSTANCES)
    editor.show(image)
    settle(view)

    def zoom(number: int) -> None:
        editor.set_camera(editor.camera.zoomed(1.15 ** forth_and_back(number), at=(800, 500)))

    def pan(number: int) -> None:
        sign = forth_and_back(number)
        editor.set_camera(editor.camera.moved(13 * sign, 9 * sign))

    our_zoom = Times(zoom, 60)
    our_pan = Times(pan, 60)
    editor.set_camera(editor.camera.at_scale(0.6, at=(800, 500)))
    near_pan, near_zoom = Times(pan, 60), Times(zoom, 60)

    peers = Peers(image)
    their_zoom = Times(lambda number: peers.zoom(1.15 ** forth_and_back(number)), 4)
    peers.zoom(1.5)
    their_pan = Times(lambda number: peers.pan(13 * forth_and_back(number)), 4)
    peers.close()
    for name, ours, theirs in (
        ("zoom from the whole picture", our_zoom, their_zoom),
        ("pan, whole picture", our_pan, their_pan),
    ):
        row(f"{name}, 5,000 masks, 24 MP, p95", ours.p95(), theirs.p95(), f"{ours.ratio_to(theirs):.0f}x")
        assert ours.ratio_to(theirs) > 3
    row("pan at 60 %, 5,000 masks, 24 MP, p95", near_pan.p95(), "", "")
    row("zoom at 60 %, 5,000 masks, 24 MP, p95", near_zoom.p95(), "", "")


class Brush(Tool):
    """The brush's preview, without what a tool does beside it."""

    shapes: tuple[Shape, ...] = ()

    @property
    def preview(self) -> tuple[Shape, ...]:
        return self.shapes


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_brush_select_and_switch_with_5000_masks_on_24_megapixels(view: CanvasView, row: Row) -> None:
    editor = view._editor
    pixels = picture(4000, 6000)
    first, second = shown(pixels, INSTANCES), shown(pixels, INSTANCES, seed=1)
    switch = Times(lambda number: editor.show((first, second)[number % 2]), 6)
    row("switch the image, decoded, 5,000 masks, 24 MP, worst", switch.worst(), "", "")
    settle(view)
    editor.set_camera(editor.camera.at_scale(0.6, at=(800, 500)))
    QApplication.processEvents()
    select = Times(lambda number: editor.select([7 * number + 1]), 40)
    row("select an instance among 5,000, p95", select.p95(), "", "")
    mask = second.document.instance(1).mask
    assert mask is not None
    paper, tool = MaskCanvas(mask, height=4000, width=6000), Brush(editor)
    editor._tool = tool

    def paint(number: int) -> None:
        x, y = 3000 + 6 * number, 2000 + 3 * number
        changed = paper.paint([(x - 6, y - 3), (x, y)], 40)
        tool.shapes = (Painted(1, 0, paper, changed), Disc(x, y, 40))
        editor.preview_changed.emit()

    brush = Times(paint, 100)
    row("brush event, radius 40, among 5,000 masks, p95", brush.p95(), "", "")
    assert np.percentile(brush.cpu, 95) < np.percentile(select.cpu, 95) + 4, (
        "a brush event costs its rectangle"
    )


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_pan_100_megapixels(view: CanvasView, row: Row) -> None:
    editor = view._editor
    editor.show(shown(picture(10_000, 10_000), 500))
    settle(view)
    for scale in (1.0, 0.7, 0.1):
        editor.set_camera(editor.camera.at_scale(scale, at=(800, 500)))
        QApplication.processEvents()

        def pan(number: int) -> None:
            sign = forth_and_back(number)
            editor.set_camera(editor.camera.moved(17 * sign, 11 * sign))

        row(f"pan 100 MP at {scale:.0%}, p95", Times(pan, 60).p95(), "", "")
