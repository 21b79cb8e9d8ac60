"""The form that filters the list of images. Knows a Filter; no project."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QPushButton, QSpinBox, QWidget

from engine.document.records import ClassDef
from gui import theme
from gui.panels.media_filter import Filter, Standing
from gui.panels.parts import bar, label

_NO_END = 9999


class FilterForm(QWidget):
    """State, class, score and count."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.standing = QComboBox()
        self.standing.setAccessibleName(self.tr("Filter by state"))
        self.standing.addItem(self.tr("Any state"), None)
        for standing, title in (
            (Standing.TO_LOOK_AT, self.tr("Needs a look")),
            (Standing.UNLABELLED, self.tr("Unlabelled")),
            (Standing.PROPOSED, self.tr("Proposed")),
            (Standing.REVIEWED, self.tr("Reviewed")),
            (Standing.SKIPPED, self.tr("Put off for later")),
            (Standing.FLAGGED, self.tr("Flagged")),
            (Standing.DOUBTED, self.tr("May hold a mistake")),
            (Standing.MISSING, self.tr("File is gone")),
        ):
            self.standing.addItem(title, standing)
        self.kind = QComboBox()
        self.kind.setAccessibleName(self.tr("Filter by class"))
        self.kind.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.score_from, self.score_to = self._score(0.0), self._score(1.0)
        self.score_from.setAccessibleName(self.tr("Lowest score"))
        self.score_to.setAccessibleName(self.tr("Highest score"))
        self.count_from, self.count_to = self._count(0), self._count(_NO_END)
        self.count_from.setAccessibleName(self.tr("Fewest instances"))
        self.count_to.setAccessibleName(self.tr("Most instances"))
        self.count_to.setSpecialValueText("")
        clear = QPushButton(self.tr("Clear the filter"))
        clear.clicked.connect(self.reset)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout.addRow(self.tr("State"), self.standing)
        layout.addRow(self.tr("Class"), self.kind)
        to, also = label(self.tr("to"), "muted"), label(self.tr("to"), "muted")
        layout.addRow(self.tr("Score"), bar(self.score_from, to, self.score_to, None))
        layout.addRow(self.tr("Instances"), bar(self.count_from, also, self.count_to, None))
        layout.addRow("", bar(None, clear))
        self.set_classes(())
        self.standing.currentIndexChanged.connect(self.changed)
        self.kind.currentIndexChanged.connect(self.changed)
        for spin in (self.score_from, self.score_to):
            spin.valueChanged.connect(self.changed)
        for number in (self.count_from, self.count_to):
            number.valueChanged.connect(self.changed)

    def set_classes(self, classes: Sequence[ClassDef]) -> None:
        """Offer these; the one that is chosen stays so where it is still there."""
        chosen = self.kind.currentData()
        self.kind.blockSignals(True)
        self.kind.clear()
        self.kind.addItem(self.tr("Any class"), None)
        for one in classes:
            self.kind.addItem(theme.swatch_icon(one.color), one.name, one.id)
        self.kind.setCurrentIndex(max(self.kind.findData(chosen), 0) if chosen is not None else 0)
        self.kind.blockSignals(False)
        if self.kind.currentData() != chosen:
            self.changed.emit()

    def filter(self, text: str) -> Filter:
        """What is asked for, with the words of the search."""
        score = (self.score_from.value(), self.score_to.value())
        least, most = self.count_from.value(), self.count_to.value()
        return Filter(
            text,
            self.standing.currentData(),
            self.kind.currentData(),
            None if score == (0.0, 1.0) else score,
            None if (least, most) == (0, _NO_END) else (least, None if most == _NO_END else most),
        )

    def reset(self) -> None:
        """Let everything pass."""
        self.standing.setCurrentIndex(0)
        self.kind.setCurrentIndex(0)
        self.score_from.setValue(0.0)
        self.score_to.setValue(1.0)
        self.count_from.setValue(0)
        self.count_to.setValue(_NO_END)

    def _score(self, value: float) -> QDoubleSpinBox:
        made = QDoubleSpinBox()
        made.setRange(0.0, 1.0)
        made.setSingleStep(0.05)
        made.setValue(value)
        return made

    def _count(self, value: int) -> QSpinBox:
        made = QSpinBox()
        made.setRange(0, _NO_END)
        made.setValue(value)
        return made
