"""A few held-out images as the model in training sees them, from its start until now.

Shows `Tuning`'s pictures; the slider goes back through them.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSlider, QVBoxLayout, QWidget

from gui import theme
from gui.background import Background
from gui.panels.parts import label
from gui.panels.shots import Shot, ShotView
from gui.tuning import Tuning

_SHOT = QSize(112, 84)


class Strip(QWidget):
    """Hidden until there are pictures. It shows the newest ones unless somebody went back."""

    def __init__(self, tuning: Tuning, background: Background) -> None:
        super().__init__()
        self._tuning, self._background = tuning, background
        self.setAccessibleName(self.tr("Held-out images"))
        self.views: list[ShotView] = []
        self.when = label(role="muted")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("When, in the training"))
        self.slider.setToolTip(self.tr("Go back to see how they were seen before"))
        self.slider.valueChanged.connect(self._show)
        head = QHBoxLayout()
        head.setSpacing(theme.SPACE)
        head.addWidget(label(self.tr("Held-out images"), "heading"))
        head.addStretch(1)
        head.addWidget(self.when)
        self._row = QHBoxLayout()
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(theme.SPACE)
        self._row.addStretch(1)
        inner = QWidget()
        inner.setLayout(self._row)
        self._scroll = scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.TIGHT)
        layout.addLayout(head)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.slider)
        tuning.pictured.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Take what has come since."""
        found = self._tuning.pictures
        follows = self.slider.value() >= self.slider.maximum()
        self.setVisible(bool(found))
        self.slider.setRange(0, max(len(found) - 1, 0))
        self.slider.setVisible(len(found) > 1)
        if follows and self.slider.value() != self.slider.maximum():
            self.slider.setValue(self.slider.maximum())
        else:
            self._show()

    @Slot()
    def _show(self) -> None:
        found = self._tuning.pictures
        if not found:
            return
        chosen = found[min(self.slider.value(), len(found) - 1)]
        while len(self.views) < len(chosen.pictures):
            view = ShotView(self._background, _SHOT)
            self._row.insertWidget(len(self.views), view)
            self.views.append(view)
            self._scroll.setMinimumHeight(view.sizeHint().height())  # else the names lose their feet
        for number, view in enumerate(self.views):
            view.setVisible(number < len(chosen.pictures))
        for view, one in zip(self.views, chosen.pictures, strict=False):
            view.take(Shot(one.jpeg, Path(one.path).name, hint=one.path))
        when = self.tr("before") if chosen.step == 0 else self.tr("step {:,}").format(chosen.step)
        self.when.setText(self.tr("{}, AP {:.2f} on these").format(when, chosen.ap))
