"""How picture and instances are seen: opacity, outlines, names, brightness, contrast, gamma.

Acts on the editor's sight at once and follows it; changes no document.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout, QPushButton, QSlider, QWidget

from gui import theme
from gui.editor import Editor, Sight
from gui.panels.parts import bar, column, label

_STEPS = 200


class Dial(QWidget):
    """A slider and its number, from `low` to `high`; a double click on the slider takes it to `usual`."""

    changed = Signal(float)

    def __init__(
        self,
        name: str,
        *,
        low: float,
        high: float,
        usual: float,
        bend: Callable[[float], float] = lambda value: value,
        straighten: Callable[[float], float] = lambda value: value,
    ) -> None:
        super().__init__()
        self._usual, self._bend = usual, bend
        self._low, self._high = bend(low), bend(high)
        self._straighten = straighten
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setPageStep(_STEPS // 10)
        self.slider.setAccessibleName(name)
        self.number = QDoubleSpinBox()
        self.number.setRange(low, high)
        self.number.setDecimals(2)
        self.number.setSingleStep(0.05)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.number.setFixedWidth(self.number.fontMetrics().horizontalAdvance("-0.00") + 3 * theme.WIDE)
        self.number.setAccessibleName(name)
        row = bar(self.slider, self.number)
        row.setSpacing(theme.SPACE)
        self.setLayout(row)
        self.put(usual)
        self.slider.valueChanged.connect(self._on_slider)
        self.number.valueChanged.connect(self._on_number)

    def put(self, value: float) -> None:
        """Show a value without telling anybody."""
        for one in (self.slider, self.number):
            one.blockSignals(True)
        place = (self._bend(value) - self._low) / (self._high - self._low)
        self.slider.setValue(round(place * _STEPS))
        if abs(self.number.value() - value) > 0.004:
            self.number.setValue(value)
        for one in (self.slider, self.number):
            one.blockSignals(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.changed.emit(self._usual)
        event.accept()

    @Slot(int)
    def _on_slider(self, place: int) -> None:
        value = self._straighten(self._low + (self._high - self._low) * place / _STEPS)
        if abs(value - self._usual) < 0.012 * (self.number.maximum() - self.number.minimum()):
            value = self._usual  # the way back is easy to hit
        self.changed.emit(round(value, 2))

    @Slot(float)
    def _on_number(self, value: float) -> None:
        self.changed.emit(value)


class SightPanel(QWidget):
    """The panel."""

    def __init__(self, editor: Editor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor = editor
        usual = Sight()
        self.opacity = Dial(self.tr("Opacity"), low=0.0, high=1.0, usual=usual.opacity)
        self.brightness = Dial(self.tr("Brightness"), low=-1.0, high=1.0, usual=usual.brightness)
        self.contrast = Dial(self.tr("Contrast"), low=-1.0, high=1.0, usual=usual.contrast)
        # Twice and half as bright lie equally far from the middle.
        self.gamma = Dial(
            self.tr("Gamma"), low=0.2, high=5.0, usual=usual.gamma, bend=math.log, straighten=math.exp
        )
        self.outline = QCheckBox(self.tr("Outlines only"))
        self.names = QCheckBox(self.tr("Names"))
        self.grid = QCheckBox(self.tr("Pixel grid when zoomed in"))
        self.reset = QPushButton(self.tr("Reset"))
        self.reset.setToolTip(self.tr("See picture and instances as they are"))
        self.reset.clicked.connect(self._reset)
        layout = column(self)
        layout.addLayout(self._grid())
        layout.addLayout(bar(None, self.reset))
        layout.addStretch(1)
        for dial, field in (
            (self.opacity, "opacity"),
            (self.brightness, "brightness"),
            (self.contrast, "contrast"),
            (self.gamma, "gamma"),
        ):
            dial.changed.connect(lambda value, field=field: self._see(**{field: value}))
        for box, field in (
            (self.outline, "outline_only"),
            (self.names, "names"),
            (self.grid, "pixel_grid"),
        ):
            box.toggled.connect(lambda on, field=field: self._see(**{field: on}))
        editor.sight_changed.connect(self._follow)
        self._follow()

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(theme.SPACE)
        grid.setColumnStretch(1, 1)
        rows: tuple[tuple[str, QWidget | None], ...] = (
            (self.tr("Instances"), None),
            (self.tr("Opacity"), self.opacity),
            ("", self.outline),
            ("", self.names),
            (self.tr("Picture"), None),
            (self.tr("Brightness"), self.brightness),
            (self.tr("Contrast"), self.contrast),
            (self.tr("Gamma"), self.gamma),
            ("", self.grid),
        )
        for row, (name, widget) in enumerate(rows):
            if widget is None:
                grid.addWidget(label(name, "heading"), row, 0, 1, 2)
            else:
                grid.addWidget(label(name), row, 0)
                grid.addWidget(widget, row, 1)
        return grid

    def _see(self, **fields: float | bool) -> None:
        self._editor.see(replace(self._editor.sight, **fields))  # type: ignore[arg-type]

    @Slot()
    def _reset(self) -> None:
        usual = Sight()
        self._see(
            opacity=usual.opacity,
            outline_only=usual.outline_only,
            names=usual.names,
            pixel_grid=usual.pixel_grid,
            brightness=usual.brightness,
            contrast=usual.contrast,
            gamma=usual.gamma,
        )

    @Slot()
    def _follow(self) -> None:
        now = self._editor.sight
        self.opacity.put(now.opacity)
        self.brightness.put(now.brightness)
        self.contrast.put(now.contrast)
        self.gamma.put(now.gamma)
        for box, on in (
            (self.outline, now.outline_only),
            (self.names, now.names),
            (self.grid, now.pixel_grid),
        ):
            box.blockSignals(True)
            box.setChecked(on)
            box.blockSignals(False)
