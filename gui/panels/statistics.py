"""What the project holds, as plots: images by state, instances by class and by size.

Drawn with QPainter in the theme's colours. Knows the surveyor's counts and the desk's states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QToolTip, QWidget

from engine.document.records import ReviewState
from engine.project.statistics import SIZE_EDGES, Statistics
from gui import counts, theme
from gui.desk import Desk
from gui.panels.media_model import state_words
from gui.panels.parts import column, elided, label
from gui.panels.surveyor import Surveyor

_BAR = 14
_ROW = 24
_HISTOGRAM = 150
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: how much, in which colour; `pale` for what nobody has settled."""

    count: int
    color: str
    name: str
    pale: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a plot: its name, its pieces, and the words of its tool tip."""

    name: str
    parts: tuple[Part, ...]
    told: str = ""

    @property
    def total(self) -> int:
        """Of all pieces."""
        return sum(part.count for part in self.parts)


class _Plot(QWidget):
    """Bars; what lies under the pointer is told in a tool tip."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.bars: tuple[Bar, ...] = ()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def take(self, bars: Sequence[Bar]) -> None:
        """Draw these."""
        self.bars = tuple(bars)
        self.setAccessibleDescription("; ".join(f"{bar.name}: {bar.total:,}" for bar in self.bars))
        self.updateGeometry()
        self.update()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            bar = self.bar_at(event.pos())
            QToolTip.showText(event.globalPos(), bar.told if bar else "", self)
            return True
        return super().event(event)

    def bar_at(self, _at: QPoint) -> Bar | None:
        """The bar under a point."""
        return None


class Shares(_Plot):
    """One bar over the whole breadth, with its legend below."""

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(240, _BAR + theme.SPACE + _ROW * max(len(self.bars), 1))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        now, painter = theme.colors(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        total = sum(bar.total for bar in self.bars)
        track = QRectF(0, 0, self.width(), _BAR)
        _round(painter, track, now.raised)
        painter.save()
        painter.setClipRect(track)
        left = 0.0
        for bar in self.bars:
            breadth = self.width() * bar.total / total if total else 0.0
            painter.fillRect(QRectF(left, 0, breadth, _BAR), QColor(bar.parts[0].color))
            left += breadth
            if 0 < left < self.width():
                painter.fillRect(QRectF(left - 1, 0, 2, _BAR), QColor(now.window))
        painter.restore()
        for row, bar in enumerate(self.bars):
            line = QRectF(0, _BAR + theme.SPACE + row * _ROW, self.width(), _ROW)
            theme.paint_swatch(painter, QRectF(0, line.center().y() - 6, 12, 12), bar.parts[0].color)
            painter.setPen(QColor(now.text))
            painter.drawText(line.adjusted(12 + theme.SPACE, 0, 0, 0), _MIDDLE, bar.name)
            painter.setPen(QColor(now.muted))
            right = _MIDDLE | Qt.AlignmentFlag.AlignRight
            if total:
                painter.drawText(line, right, f"{bar.total / total:.0%}")
            shares = painter.fontMetrics().horizontalAdvance("100%") + theme.WIDE
            painter.drawText(line.adjusted(0, 0, -shares, 0), right, f"{bar.total:,}")


class Rows(_Plot):
    """A bar a row, the longest over the whole room; name before it, count behind."""

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(240, _ROW * max(len(self.bars), 1))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(120, self.sizeHint().height())

    def bar_at(self, at: QPoint) -> Bar | None:
        row = at.y() // _ROW
        return self.bars[row] if 0 <= row < len(self.bars) else None

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        now, painter = theme.colors(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = painter.fontMetrics()
        most = max((bar.total for bar in self.bars), default=0)
        # One more than the widest: it is rounded, and a name that is a hair too wide would be cut.
        names = max((metrics.horizontalAdvance(bar.name) for bar in self.bars), default=0)
        names = min(names + 1, self.width() * 2 // 5)
        counts = metrics.horizontalAdvance(f"{most:,}")
        room = max(self.width() - names - counts - 2 * theme.SPACE, 8)
        first, last = event.rect().top() // _ROW, event.rect().bottom() // _ROW
        for row in range(max(first, 0), min(last + 1, len(self.bars))):
            bar = self.bars[row]
            line = QRectF(0, row * _ROW, self.width(), _ROW)
            painter.setPen(QColor(now.text))
            name = elided(painter, bar.name, names, Qt.TextElideMode.ElideRight)
            painter.drawText(line, _MIDDLE, name)
            left = float(names + theme.SPACE)
            for part in bar.parts:
                breadth = room * part.count / most if most else 0.0
                _fill(painter, QRectF(left, line.center().y() - _BAR / 2, breadth, _BAR), part)
                left += breadth
            painter.setPen(QColor(now.muted))
            painter.drawText(line, _MIDDLE | Qt.AlignmentFlag.AlignRight, f"{bar.total:,}")


class Columns(_Plot):
    """Upright bars beside each other, with their names below."""

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(240, _HISTOGRAM)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(160, _HISTOGRAM)

    def bar_at(self, at: QPoint) -> Bar | None:
        place = int(at.x() * len(self.bars) / max(self.width(), 1))
        return self.bars[place] if 0 <= place < len(self.bars) else None

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        now, painter = theme.colors(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() * 0.85)
        painter.setFont(font)
        words = painter.fontMetrics().height()
        most = max((bar.total for bar in self.bars), default=0)
        floor = self.height() - words - theme.TIGHT
        breadth = self.width() / max(len(self.bars), 1)
        for place, bar in enumerate(self.bars):
            left, low = place * breadth, float(floor)
            for part in bar.parts:
                tall = (floor - words - theme.TIGHT) * part.count / most if most else 0.0
                _fill(painter, QRectF(left + 2, low - tall, breadth - 4, tall), part)
                low -= tall
            if bar.total:
                painter.setPen(QColor(now.muted))
                top = QRectF(left - breadth, low - words - 2, 3 * breadth, words)
                if painter.fontMetrics().horizontalAdvance(_short(bar.total)) < breadth:
                    painter.drawText(top, Qt.AlignmentFlag.AlignCenter, _short(bar.total))
            painter.setPen(QColor(now.muted))
            under = QRectF(left - breadth, floor + theme.TIGHT, 3 * breadth, words)
            painter.drawText(under, Qt.AlignmentFlag.AlignCenter, bar.name)
        painter.fillRect(QRectF(0, floor, self.width(), 1), QColor(now.line))


class StatisticsPanel(QWidget):
    """The panel."""

    def __init__(self, desk: Desk, surveyor: Surveyor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._surveyor = desk, surveyor
        self.images = Shares(self.tr("Images by state"))
        self.classes = Rows(self.tr("Instances by class"))
        self.sizes = Columns(self.tr("Instances by size"))
        self.empty = label(role="muted")
        self.empty.setWordWrap(True)
        self.told = label(role="muted")
        self.told.setWordWrap(True)
        self.body = QWidget()
        layout = column(self.body, margin=theme.WIDE)
        for title, plot in (
            (self.tr("Images by state"), self.images),
            (self.tr("Instances by class"), self.classes),
            (self.tr("Instances by size"), self.sizes),
        ):
            layout.addWidget(label(title, "heading"))
            layout.addWidget(plot)
            layout.addSpacing(theme.SPACE)
        layout.addWidget(self.told)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(self.body)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = column(self, margin=0)
        outer.addWidget(self.empty)
        outer.addWidget(scroll, 1)
        self.empty.setContentsMargins(theme.WIDE, theme.WIDE, theme.WIDE, 0)
        surveyor.counted.connect(self.refresh)
        desk.editor.classes_changed.connect(self.refresh)
        desk.media_changed.connect(self.refresh)
        desk.project_changed.connect(self.refresh)
        desk.item_changed.connect(self._on_item)
        theme.theme().changed.connect(self.refresh)
        self.refresh()

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(420, 640)

    @Slot()
    def refresh(self) -> None:
        """Draw what is known now."""
        found = self._surveyor.statistics
        media = len(self._desk.media)
        self.images.take(self._images() if media else ())
        self.classes.take(self._classes(found))
        self.sizes.take(self._sizes(found))
        self.body.setVisible(media > 0)
        self.empty.setVisible(not media)
        opened = self._desk.project is not None
        self.empty.setText(
            self.tr("There are no pictures in this folder.")
            if opened
            else self.tr("Open a folder of pictures to see what it holds.")
        )
        if found.classes:
            self.told.setText(
                self.tr("Pale: proposals that nobody has looked at, those above the score slider. ")
                + self.tr("Size: the side of a square as large, in pixels.")
            )
        else:
            self.told.setText(self.tr("No image has an instance yet."))

    @Slot(int)
    def _on_item(self, _media_id: int) -> None:
        if self._desk.media:
            self.images.take(self._images())

    def _images(self) -> list[Bar]:
        now, counts = theme.colors(), dict.fromkeys(ReviewState, 0)
        for state in self._desk.list.states.values():
            counts[state.review] += 1
        looked = counts[ReviewState.REVIEWED] + counts[ReviewState.PROPOSED]
        counts[ReviewState.UNLABELLED] = max(len(self._desk.media) - looked, 0)
        colors = {
            ReviewState.REVIEWED: now.good,
            ReviewState.PROPOSED: now.accent,
            ReviewState.UNLABELLED: now.line,
        }
        return [
            Bar(name := state_words(self, state), (Part(counts[state], color, name),))
            for state, color in colors.items()
        ]

    def _classes(self, found: Statistics) -> list[Bar]:
        known = {one.id: one for one in self._desk.editor.classes}
        bars = []
        for count in found.classes:
            one = known.get(count.class_id)
            if one is None:
                continue  # the next survey leaves it out
            total = count.settled + count.proposed
            instances = counts.instances(total)
            images = counts.images(count.images)
            told = self.tr("{}: {} on {}").format(one.name, instances, images)
            if count.proposed:
                told += "\n" + self.tr("{:,} of them proposals").format(count.proposed)
            bars.append(Bar(one.name, self._parts(count.settled, count.proposed, one.color), told))
        return bars

    def _sizes(self, found: Statistics) -> list[Bar]:
        accent, bars = theme.colors().accent, []
        for place, (settled, proposed) in enumerate(found.sizes):
            low = SIZE_EDGES[place]
            if place + 1 < len(SIZE_EDGES):
                span = self.tr("{} to {} pixels").format(low, SIZE_EDGES[place + 1])
            else:
                span = self.tr("{} pixels and more").format(low)
            instances = counts.instances(settled + proposed)
            told = f"{span}: {instances}"
            bars.append(Bar(f"{low:,}", self._parts(settled, proposed, accent), told))
        return bars

    def _parts(self, settled: int, proposed: int, color: str) -> tuple[Part, ...]:
        return (
            Part(settled, color, self.tr("looked at")),
            Part(proposed, color, self.tr("proposed"), pale=True),
        )


def _fill(painter: QPainter, rect: QRectF, part: Part) -> None:
    if part.count:
        color = QColor(part.color)
        color.setAlphaF(0.38 if part.pale else 1.0)
        painter.fillRect(rect, color)


def _round(painter: QPainter, rect: QRectF, color: str) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    painter.drawRoundedRect(rect, 3, 3)


def _short(number: int) -> str:
    """A count in few letters: 1,234 as 1.2k."""
    for limit, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{letter}"
    return str(number)
