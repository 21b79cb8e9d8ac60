"""Window and level of pictures of more than 8 bits: the histogram of their samples with two handles.

Shows what `gui.contrast` knows and tells it what is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from engine.document.contrast import AUTOMATIC, Contrast, Way
from engine.media.levels import Levels
from gui import theme
from gui.contrast import Contrasting
from gui.panels.parts import bar, button, column, label
from gui.panels.sight import Dial

_HIGH = 150
_MARGIN = 7
_REACH = 9  # view pixels around a handle that are still the handle
_GRIP = 8
_KEY_STEP = 0.01  # of the axis
_USUAL_PERCENTILES = (0.1, 99.9)


class SampleHistogram(QWidget):
    """How often each sample occurs, and which are black and white.

    A handle is dragged, what lies between the two moves both. Left and right move both, up and down set them
    closer or further apart.
    """

    windowed = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self._levels: Levels | None = None
        self._low, self._high, self._gamma = 0.0, 1.0, 1.0
        self._axis = (0.0, 1.0)
        self._drag: tuple[str, float, float, float] | None = None  # what, and where it and the two began
        self.setAccessibleName(self.tr("Samples"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(380, _HIGH)

    def take(self, levels: Levels | None, limits: tuple[float, float], gamma: float) -> None:
        """Show these samples with black and white at the limits."""
        is_other = levels is not self._levels
        self._levels, (self._low, self._high), self._gamma = levels, limits, gamma
        if levels is not None and (self._drag is None or is_other):
            inside = [one for one in limits if math.isfinite(one)]
            self._axis = min(levels.low, *inside), max(levels.high, *inside)
        self.setAccessibleDescription(
            self.tr("Black up to {}, white from {} on").format(_said(self._low), _said(self._high))
        )
        self.update()

    def place_of(self, sample: float) -> float:
        """Where a sample lies, view pixels."""
        low, high = self._axis
        share = (min(max(sample, low), high) - low) / (high - low)
        return _MARGIN + (self.width() - 2 * _MARGIN) * share

    def sample_at(self, x: float) -> float:
        """The sample at a place, a whole number where all are."""
        low, high = self._axis
        share = (x - _MARGIN) / max(self.width() - 2 * _MARGIN, 1)
        return self._rounded(low + (high - low) * min(max(share, 0.0), 1.0))

    def _rounded(self, sample: float) -> float:
        return float(round(sample)) if self._levels is not None and self._levels.is_whole else sample

    def _part_at(self, x: float) -> str:
        """What a drag from there moves: "low", "high" or "both"."""
        low, high = self.place_of(self._low), self.place_of(self._high)
        near = min(abs(x - low), abs(x - high))
        if near > _REACH and low < x < high:
            return "both"
        # Where the two lie on each other the pointer's side decides.
        return "low" if abs(x - low) < abs(x - high) or (low == high and x < low) else "high"

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self._levels is None or event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        self._drag = (self._part_at(x), self.sample_at(x), self._low, self._high)
        self._follow(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        x = event.position().x()
        if self._drag is not None:
            self._follow(x)
            return
        is_both = self._levels is not None and self._part_at(x) == "both"
        self.setCursor(Qt.CursorShape.SizeAllCursor if is_both else Qt.CursorShape.SplitHCursor)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:  # noqa: N802
        self._drag = None

    def _follow(self, x: float) -> None:
        assert self._drag is not None
        part, begun, low, high = self._drag
        sample = self.sample_at(x)
        least = 1.0 if self._levels is not None and self._levels.is_whole else 0.0
        match part:
            case "low":
                low = min(sample, high - least)
            case "high":
                high = max(sample, low + least)
            case _:
                low, high = low + sample - begun, high + sample - begun
        if low < high:
            self.windowed.emit(low, high)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        step = self._rounded((self._axis[1] - self._axis[0]) * _KEY_STEP) or 1.0
        by = {
            Qt.Key.Key_Left: (-step, -step), Qt.Key.Key_Right: (step, step),
            Qt.Key.Key_Up: (-step, step), Qt.Key.Key_Down: (step, -step),
        }.get(Qt.Key(event.key()))  # fmt: skip
        if by is None or self._levels is None:
            super().keyPressEvent(event)
        elif self._low + by[0] < self._high + by[1]:
            self.windowed.emit(self._low + by[0], self._high + by[1])

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        now, painter = theme.colors(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        foot = painter.fontMetrics().height() + theme.TIGHT
        room = QRectF(_MARGIN, 2, self.width() - 2 * _MARGIN, self.height() - foot - 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.surface))
        painter.drawRoundedRect(room, 3, 3)
        if self._levels is not None:
            self._paint_samples(painter, room, self._levels)
            self._paint_window(painter, room)
            self._paint_axis(painter, room)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(now.accent))
            painter.drawRoundedRect(room, 3, 3)

    def _paint_samples(self, painter: QPainter, room: QRectF, levels: Levels) -> None:
        """Heights by the logarithm: a background of a million pixels must not hide the objects."""
        heights = np.log1p(levels.counts) / max(float(np.log1p(levels.counts.max())), 1e-9)
        low, width = levels.low, (levels.high - levels.low) / len(heights)
        top, foot = room.top() + 4, room.bottom()
        points = [QPointF(self.place_of(low), foot)]
        for number, height in enumerate(heights.tolist()):
            y = foot - (foot - top) * height
            points += [QPointF(self.place_of(low + (number + side) * width), y) for side in (0, 1)]
        points.append(QPointF(self.place_of(levels.high), foot))
        color = QColor(theme.colors().muted)
        color.setAlpha(150)
        painter.setBrush(color)
        painter.drawPolygon(QPolygonF(points))

    def _paint_window(self, painter: QPainter, room: QRectF) -> None:
        now = theme.colors()
        low, high = self.place_of(self._low), self.place_of(self._high)
        shade = QColor(now.accent)
        shade.setAlpha(38)
        painter.fillRect(QRectF(low, room.top(), high - low, room.height()), shade)
        shares = np.linspace(0, 1, 33)
        curve = [
            QPointF(low + (high - low) * share, room.bottom() - room.height() * share ** (1 / self._gamma))
            for share in shares.tolist()
        ]
        painter.setPen(QPen(QColor(now.accent), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        ends = [QPointF(room.left(), room.bottom()), *curve, QPointF(room.right(), room.top())]
        painter.drawPolyline(QPolygonF(ends))
        for x, fill in ((low, "#000000"), (high, "#ffffff")):
            painter.setPen(QPen(QColor(now.text), 1.5))
            painter.drawLine(QPointF(x, room.top()), QPointF(x, room.bottom()))
            painter.setBrush(QColor(fill))
            grip = QRectF(x - _GRIP / 2, room.bottom() - 1.5 * _GRIP, _GRIP, 1.5 * _GRIP)
            painter.drawRoundedRect(grip, 2, 2)

    def _paint_axis(self, painter: QPainter, room: QRectF) -> None:
        painter.setPen(QColor(theme.colors().muted))
        line = QRectF(room.left(), room.bottom() + theme.TIGHT, room.width(), painter.fontMetrics().height())
        painter.drawText(line, int(Qt.AlignmentFlag.AlignLeft), _said(self._axis[0]))
        painter.drawText(line, int(Qt.AlignmentFlag.AlignRight), _said(self._axis[1]))


class ContrastPanel(QWidget):
    """Histogram, numbers, the way of choosing, gamma, and what the project is to keep."""

    def __init__(self, contrasting: Contrasting) -> None:
        super().__init__()
        self._contrasting = contrasting
        self.histogram = SampleHistogram()
        self.way = QComboBox()
        self.way.setAccessibleName(self.tr("Black and white"))
        for title, way in (
            (self.tr("Automatic"), Way.AUTOMATIC),
            (self.tr("Percentiles of the picture"), Way.PERCENTILE),
            (self.tr("Full range"), Way.FULL),
            (self.tr("Fixed window"), Way.WINDOW),
        ):
            self.way.addItem(title, way)
        self.black, self.white = _number(self.tr("Black up to")), _number(self.tr("White from"))
        self.level, self.breadth = _number(self.tr("Level")), _number(self.tr("Window"))
        self.least, self.most = _percent(self.tr("Lowest per cent")), _percent(self.tr("Highest per cent"))
        self.gamma = Dial(self.tr("Gamma"), low=0.2, high=5.0, usual=1.0, bend=math.log, straighten=math.exp)
        self.told = label(role="muted")
        self.told.setWordWrap(True)
        self.undo = button("undo", self.tr("Take back what was kept last"))
        self.reset = QPushButton(self.tr("Reset"))
        self.reset.setToolTip(self.tr("See every picture as the program does by itself"))
        self.for_file = QPushButton(self.tr("Use for this picture"))
        self.for_all = QPushButton(self.tr("Use for all pictures"))
        self.for_all.setToolTip(self.tr("Also for those that had a contrast of their own"))
        self.nothing = label(role="muted")
        self.nothing.setWordWrap(True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._lay_out()
        self._connect()
        self._take()

    def _lay_out(self) -> None:
        self._choosing = QWidget()
        layout = column(self._choosing)
        layout.addWidget(self.histogram)
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.WIDE)
        grid.setVerticalSpacing(theme.TIGHT)
        rows: tuple[Sequence[tuple[str, QWidget]], ...] = (
            ((self.tr("Black up to"), self.black), (self.tr("Window"), self.breadth)),
            ((self.tr("White from"), self.white), (self.tr("Level"), self.level)),
        )
        for row, pairs in enumerate(rows):
            for place, (name, widget) in enumerate(pairs):
                grid.addWidget(label(name), row, 2 * place)
                grid.addWidget(widget, row, 2 * place + 1)
        for place in (1, 3):
            grid.setColumnStretch(place, 1)
        layout.addLayout(grid)
        self._percentiles = QWidget()
        self._percentiles.setLayout(bar(self.least, label("–"), self.most))
        layout.addLayout(bar(self.way, None, self._percentiles))
        layout.addLayout(bar(label(self.tr("Gamma")), self.gamma))
        layout.addWidget(self.told)
        layout.addStretch(1)
        layout.addLayout(bar(self.undo, self.reset, None, self.for_file, self.for_all))
        self._pages = QStackedLayout()
        empty = QWidget()
        QVBoxLayout(empty).addWidget(self.nothing)
        self._pages.addWidget(self._choosing)
        self._pages.addWidget(empty)
        self.setLayout(self._pages)

    def _connect(self) -> None:
        now = self._contrasting
        self.histogram.windowed.connect(now.window)
        self.way.activated.connect(self._on_way)
        for one in (self.black, self.white):
            one.valueChanged.connect(lambda _value: now.window(self.black.value(), self.white.value()))
        for one in (self.level, self.breadth):
            one.valueChanged.connect(self._on_level)
        for one in (self.least, self.most):
            one.valueChanged.connect(self._on_percent)
        self.gamma.changed.connect(self._on_gamma)
        self.undo.clicked.connect(now.go_back)
        self.reset.clicked.connect(now.reset)
        self.for_file.clicked.connect(lambda: now.keep(for_file=True))
        self.for_all.clicked.connect(lambda: now.keep(for_file=False))
        now.changed.connect(self._take)

    @Slot()
    def _on_level(self) -> None:
        level, half = self.level.value(), self.breadth.value() / 2
        self._contrasting.window(level - half, level + half)

    @Slot()
    def _on_way(self) -> None:
        way, now = Way(self.way.currentData()), self._contrasting
        gamma = now.contrast.gamma
        match way:
            case Way.WINDOW:
                now.window(*now.limits)
            case Way.PERCENTILE:
                now.choose(Contrast(way, *_USUAL_PERCENTILES, gamma))
            case _:
                now.choose(Contrast(way, gamma=gamma))

    @Slot()
    def _on_percent(self) -> None:
        low, high = self.least.value(), self.most.value()
        if low < high:
            self._contrasting.choose(Contrast(Way.PERCENTILE, low, high, self._contrasting.contrast.gamma))

    @Slot(float)
    def _on_gamma(self, gamma: float) -> None:
        now = self._contrasting.contrast
        self._contrasting.choose(Contrast(now.way, now.low, now.high, gamma))

    @Slot()
    def _take(self) -> None:
        """Show what is seen now, without telling anybody."""
        now, (low, high) = self._contrasting, self._contrasting.limits
        contrast, levels = now.contrast, now.levels
        self._pages.setCurrentIndex(int(levels is None))
        if levels is None:
            self.nothing.setText("" if now.is_reading or now.item is None else self._says_nothing())
            return
        self.histogram.take(levels, (low, high), contrast.gamma)
        self.way.setCurrentIndex(self.way.findData(contrast.way))
        self._percentiles.setVisible(contrast.way is Way.PERCENTILE)
        decimals = 0 if levels.is_whole else _decimals(levels.high - levels.low)
        for one, value in (
            (self.black, low), (self.white, high), (self.level, (low + high) / 2), (self.breadth, high - low),
        ):  # fmt: skip
            # The middle of two whole numbers may be a half.
            _put(one, value, decimals + (one is self.level and levels.is_whole))
            one.setSingleStep(max((levels.high - levels.low) / 200, 1.0 if levels.is_whole else 0.0))
        if contrast.way is Way.PERCENTILE:
            _put(self.least, contrast.low, 2)
            _put(self.most, contrast.high, 2)
        self.gamma.put(contrast.gamma)
        self._tell(contrast)

    def _tell(self, contrast: Contrast) -> None:
        now = self._contrasting
        item = now.item
        own = item is not None and item.path in now.kept.own
        kept = now.kept.of(item.path) if item is not None else AUTOMATIC
        if contrast != kept:
            told = self.tr("You try this out: models and other people still see the pictures as before.")
        elif own:
            told = self.tr("This picture has a contrast of its own; models see it so too.")
        elif contrast == AUTOMATIC:
            told = self.tr("Every picture is seen by its own depth; models see it so too.")
        else:
            told = self.tr("All pictures are seen so, by models too.")
        self.told.setText(told)
        self.for_file.setEnabled(now.can_be_kept and contrast != kept)
        self.for_all.setEnabled(now.can_be_kept and (contrast != now.kept.usual or bool(now.kept.own)))
        self.reset.setEnabled(contrast != AUTOMATIC or now.kept.usual != AUTOMATIC or bool(now.kept.own))
        self.undo.setEnabled(now.can_go_back)

    def _says_nothing(self) -> str:
        return self.tr(
            "This picture has 8 bits: there is nothing more in it than what is seen.\n"
            "Brightness, contrast and gamma of the view are in the panel Display."
        )


def _number(name: str) -> QDoubleSpinBox:
    made = QDoubleSpinBox()
    made.setAccessibleName(name)
    made.setRange(-1e15, 1e15)
    made.setKeyboardTracking(False)
    made.setGroupSeparatorShown(True)
    made.setAlignment(Qt.AlignmentFlag.AlignRight)
    made.setMinimumWidth(made.fontMetrics().horizontalAdvance("-0,000,000") + 3 * theme.WIDE)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return made


def _percent(name: str) -> QDoubleSpinBox:
    made = QDoubleSpinBox()
    made.setAccessibleName(name)
    made.setRange(0, 100)
    made.setDecimals(2)
    made.setSingleStep(0.1)
    made.setSuffix(" %")
    made.setKeyboardTracking(False)
    return made


def _put(box: QDoubleSpinBox, value: float, decimals: int) -> None:
    box.blockSignals(True)
    if box.decimals() != decimals:
        box.setDecimals(decimals)
    if box.value() != round(value, decimals):
        box.setValue(value)
    box.blockSignals(False)


def _decimals(breadth: float) -> int:
    """So many that a thousandth of the breadth can be seen."""
    return int(min(max(3 - math.floor(math.log10(breadth)), 0), 15)) if breadth > 0 else 3


def _said(sample: float) -> str:
    return f"{sample:,.0f}" if sample == round(sample) and abs(sample) < 1e9 else f"{sample:.4g}"
