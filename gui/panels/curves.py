"""Curves of a training as they grow: the loss of each step, and the mask AP on the images held out.

pyqtgraph draws them. It is imported on a thread when the first curve is wanted, so that neither the start
of the program nor the pointer waits for it. Knows numbers and the theme; nothing of training.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gui import theme
from gui.background import Background
from gui.panels.parts import label

_SMOOTH_SHARE = 0.06  # of the steps so far over which a loss is averaged
_MOST_POINTS = 1200  # more than a panel has pixels
_HEIGHT = 120


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """x: N float64, ascending. y: N float64; NaN leaves a gap."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    @classmethod
    def of(cls, points: Sequence[tuple[float, float]]) -> Curve:
        """Of x and y pairs."""
        table = np.array(points, np.float64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])

    def thinned(self, most: int = _MOST_POINTS) -> Curve:
        """Every k-th point, so that at most so many are left, the last among them."""
        step = max(-(-len(self.x) // most), 1)
        return Curve(self.x[::-step][::-1], self.y[::-step][::-1])

    def smoothed(self) -> Curve:
        """Each value averaged with those shortly before it; single steps jump about."""
        count = max(round(len(self.y) * _SMOOTH_SHARE), 1)
        known = np.isfinite(self.y)
        total = np.cumsum(np.where(known, self.y, 0.0))
        number = np.cumsum(known)
        total[count:] -= total[:-count].copy()
        number[count:] -= number[:-count].copy()
        return Curve(self.x, np.divide(total, number, out=np.full(len(self.y), np.nan), where=number > 0))


class Plot(QWidget):
    """One curve with its title, its newest value and, where there is one, a level to compare with."""

    def __init__(self, title: str, *, smooths: bool = False, top: float | None = None) -> None:
        super().__init__()
        self._smooths, self._top = smooths, top
        self._curve, self._level, self._end = Curve.of(()), float("nan"), 0.0
        self._told = ""
        self._drawing: _Drawing | None = None
        self._title, self._value = label(title, "heading"), label(role="muted")
        self.setAccessibleName(title)
        self._room = QVBoxLayout()
        head = QHBoxLayout()
        head.setSpacing(theme.SPACE)
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(self._value)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.TIGHT)
        layout.addLayout(head)
        layout.addLayout(self._room, 1)
        self._waiting = QLabel()
        self._waiting.setMinimumHeight(_HEIGHT)
        self._room.addWidget(self._waiting)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme.theme().changed.connect(self._dress)

    @property
    def told(self) -> str:
        """The newest value in words, as it stands over the curve."""
        return self._told

    @property
    def is_drawn(self) -> bool:
        """Whether pyqtgraph is there and draws."""
        return self._drawing is not None

    def begin(self, background: Background) -> None:
        """Fetch what draws, once; until it is there only the newest value shows."""
        if self._drawing is None:
            background.run(lambda: importlib.import_module("pyqtgraph"), self._draw_with)

    def take(self, curve: Curve, *, told: str, level: float = float("nan"), end: float = 0.0) -> None:
        """Show this curve. level: a dashed line, NaN for none. end: where the curve will end, on x."""
        self._curve, self._level, self._end, self._told = curve, level, end, told
        self._value.setText(told)
        self.setAccessibleDescription(told)
        self._draw()

    def _draw_with(self, pyqtgraph: Any) -> None:
        if self._drawing is None:
            self._waiting.hide()
            self._drawing = _Drawing(pyqtgraph, self._top)
            self._room.addWidget(self._drawing.widget)
            self._dress()
            self._draw()

    @Slot()
    def _dress(self) -> None:
        if self._drawing is not None:
            self._drawing.dress()

    def _draw(self) -> None:
        if self._drawing is None:
            return
        curve = self._curve
        pale = curve.thinned() if self._smooths else Curve.of(())
        clear = curve.smoothed().thinned() if self._smooths else curve
        self._drawing.show(pale, clear, self._level, self._end, dots=not self._smooths)


class _Drawing:
    """The part that pyqtgraph draws, typed loosely in this one place."""

    def __init__(self, pyqtgraph: Any, top: float | None) -> None:
        self._pg, self._top = pyqtgraph, top
        self.widget = pyqtgraph.PlotWidget()
        self.widget.setMinimumHeight(_HEIGHT)
        self.widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        plot = self.widget.getPlotItem()
        plot.setMouseEnabled(x=False, y=False)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setContentsMargins(0, 0, theme.SPACE, 0)
        self._pale = plot.plot([], [])
        self._clear = plot.plot([], [])
        self._level = pyqtgraph.InfiniteLine(angle=0)
        self._level.setVisible(False)
        plot.addItem(self._level)
        self._plot = plot

    def dress(self) -> None:
        """Take the theme's colours."""
        now, pg = theme.colors(), self._pg
        self.widget.setBackground(QColor(now.surface))
        small = QFont()
        small.setPointSizeF(small.pointSizeF() * 0.85)
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(pg.mkPen(now.line))
            axis.setTextPen(pg.mkPen(now.muted))
            axis.setStyle(tickFont=small, tickLength=-4)
        self._plot.showGrid(x=False, y=True, alpha=0.15)
        faint = QColor(now.accent)
        faint.setAlphaF(0.3)
        self._pale.setPen(pg.mkPen(faint, width=1))
        self._clear.setPen(pg.mkPen(now.accent, width=2))
        self._clear.setSymbolBrush(pg.mkBrush(now.accent))
        self._clear.setSymbolPen(pg.mkPen(now.surface))
        self._level.setPen(pg.mkPen(now.muted, width=1, style=Qt.PenStyle.DashLine))

    def show(self, pale: Curve, clear: Curve, level: float, end: float, *, dots: bool) -> None:
        self._pale.setData(pale.x, pale.y, connect="finite")
        self._clear.setData(clear.x, clear.y, connect="finite")
        self._clear.setSymbol("o" if dots else None)
        self._clear.setSymbolSize(7)
        self._level.setVisible(bool(np.isfinite(level)))
        if np.isfinite(level):
            self._level.setPos(level)
        last = float(clear.x[-1]) if len(clear.x) else 0.0
        self._plot.setXRange(0.0, max(end, last, 1.0), padding=0.02)
        known = [*clear.y[np.isfinite(clear.y)].tolist(), *([level] if np.isfinite(level) else [])]
        most = max(known, default=1.0)
        self._plot.setYRange(0.0, self._ceiling(most), padding=0.0)

    def _ceiling(self, most: float) -> float:
        """Where the y axis ends: a little above the highest value, at most at `top`."""
        above = max(most * 1.15, 1e-3)
        return above if self._top is None else min(max(above, 0.1 * self._top), self._top)
