"""The model's panel: which model looks, and which of its proposals are shown."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from gui.editor import Editor
from gui.models import Models
from gui.proposals import Look, Proposals
from gui.theme import SPACE, TIGHT


class Share(QWidget):
    """A slider for a share of 0 to 1, its value in words beside it."""

    changed = Signal(float)

    def __init__(self, name: str, hint: str, value: float, told: Callable[[float], str]) -> None:
        super().__init__()
        self._told = told
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setPageStep(10)
        self.slider.setAccessibleName(name)
        self.slider.setAccessibleDescription(hint)
        self.setToolTip(hint)
        self._value = QLabel()
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance("0.00 "))
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self._value)
        self.put(value)
        self.slider.valueChanged.connect(self._on_moved)

    @property
    def value(self) -> float:
        """0..1."""
        return self.slider.value() / 100

    def put(self, value: float) -> None:
        """Show a value without telling anybody."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(value * 100))
        self.slider.blockSignals(False)
        self._value.setText(self._told(self.value))

    @Slot()
    def _on_moved(self) -> None:
        self._value.setText(self._told(self.value))
        self.changed.emit(self.value)


class ProposalsPanel(QWidget):
    """Sliders act at once, on what the model has answered already."""

    def __init__(self, editor: Editor, proposals: Proposals, models: Models, choose: QAction) -> None:
        super().__init__()
        self._editor, self._proposals, self._models = editor, proposals, models
        now = proposals.thresholds
        self.model = QPushButton()
        self.model.setIcon(choose.icon())
        self.model.setToolTip(choose.toolTip())
        self.model.setAccessibleName(self.tr("Model"))
        self.model.clicked.connect(choose.trigger)
        self.score = Share(
            self.tr("Score"), self.tr("Proposals of a lower score are hidden"), now.score, "{:.2f}".format
        )
        self.overlap = Share(
            self.tr("Overlap"),
            self.tr("Of two proposals that overlap by more than this, the better one is shown"),
            now.overlap,
            lambda value: self.tr("any") if value >= 1 else f"{value:.2f}",
        )
        self.cutoff = Share(
            self.tr("Mask cut-off"),
            self.tr("Higher makes masks tighter, lower makes them wider"),
            now.mask_cutoff,
            "{:.2f}".format,
        )
        self.classes = QPushButton()
        self.classes.setAccessibleName(self.tr("Classes of proposals that are shown"))
        self.classes.setMenu(QMenu(self.classes))
        self._status = QLabel()
        self._status.setWordWrap(True)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._busy.setFixedHeight(3)
        self._busy.setAccessibleName(self.tr("The model is looking"))
        self._lay_out()
        self.score.changed.connect(proposals.set_score)
        self.overlap.changed.connect(proposals.set_overlap)
        self.cutoff.changed.connect(proposals.set_cutoff)
        menu = self.classes.menu()
        assert menu is not None
        menu.aboutToShow.connect(self._fill_classes)
        proposals.changed.connect(self._refresh)
        models.changed.connect(self._refresh)
        editor.sight_changed.connect(self._refresh)
        editor.image_changed.connect(self._refresh)
        editor.edited.connect(self._refresh)
        self._refresh()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(SPACE)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for button in (self.model, self.classes):
            button.setStyleSheet("text-align: left")
            button.setMinimumWidth(1)  # a long name must not widen the panel
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        titled = QLabel(self.tr("Model"))
        titled.setMinimumHeight(self.model.sizeHint().height())  # else it stands above the button's middle
        form.addRow(titled, self.model)
        form.addRow(self.tr("Score"), self.score)
        form.addRow(self.tr("Overlap"), self.overlap)
        form.addRow(self.tr("Cut-off"), self.cutoff)
        form.addRow(self.tr("Classes"), self.classes)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        layout.setSpacing(SPACE)
        layout.addLayout(form)
        layout.addSpacing(TIGHT)
        layout.addWidget(self._status)
        layout.addWidget(self._busy)
        layout.addStretch()

    @Slot()
    def _refresh(self) -> None:
        now, status = self._proposals.thresholds, self._proposals.status
        self.score.put(now.score)
        self.overlap.put(now.overlap)
        self.cutoff.put(now.mask_cutoff)
        download = self._models.download
        self.model.setText(self._proposals.model)
        chosen = now.classes
        self.classes.setText(
            self.tr("all") if chosen is None else ", ".join(sorted(chosen)) or self.tr("none")
        )
        self._busy.setVisible(status.look is Look.LOOKING or download is not None)
        if download is not None:
            percent = 100 * download.done // download.total if download.total else 0
            text = self.tr("Downloading {name}: {percent} %").format(name=download.name, percent=percent)
        elif status.look is Look.FAILED:
            text = status.problem
        elif status.look is Look.LOOKING:
            text = self.tr("The model is looking at this image…")
        else:
            text = self._counted()
        self._status.setText(text)

    def _counted(self) -> str:
        shown = self._editor.shown
        if shown is None:
            return ""
        offered, seen = (
            sum(one.provenance.is_proposal for one in some)
            for some in (shown.document.instances, self._editor.visible)
        )
        if not offered:
            return self.tr("No proposals on this image.")
        return self.tr("{seen} of {all} proposals shown").format(seen=seen, all=offered)

    @Slot()
    def _fill_classes(self) -> None:
        menu = self.classes.menu()
        assert menu is not None
        menu.clear()
        chosen = self._proposals.thresholds.classes
        everything = menu.addAction(self.tr("All classes"))
        everything.setCheckable(True)
        everything.setChecked(chosen is None)
        everything.triggered.connect(lambda: self._proposals.set_classes(None))
        menu.addSeparator()
        for one in self._editor.classes:
            action = menu.addAction(one.name.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(chosen is None or one.name in chosen)
            action.triggered.connect(lambda on, name=one.name: self._choose_class(name, on))

    def _choose_class(self, name: str, on: bool) -> None:
        names = frozenset(one.name for one in self._editor.classes)
        chosen = self._proposals.thresholds.classes
        wanted = (
            (names if chosen is None else chosen) | {name}
            if on
            else ((names if chosen is None else chosen) - {name})
        )
        self._proposals.set_classes(None if wanted >= names else wanted)
