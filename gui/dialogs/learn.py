"""The sheet before a training: in one line what is learned from, one button, and details that fold out.

All choices are the engine's until a person makes one; every change is described anew, with its time.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from engine.messages import FineTune, TuneDescription
from engine.models.store import ModelState
from gui import counts, theme
from gui.commands.registry import Context, translated
from gui.counts import counted
from gui.panels.jobs import in_words
from gui.panels.parts import bar, column, label
from gui.screen import grow

_SOON_MS = 250
_HELD_OUT = 20  # per cent
_MOST_SIDE, _MOST_STEPS = 4096, 1_000_000
_AUTOMATIC, _CONTINUE = "", "\0active"  # in the place of a base's name


def ask_learn(parent: QWidget, context: Context) -> tuple[FineTune] | None:
    """What to learn and how; None where the person backs out."""
    dialog = LearnDialog(parent, context)
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    request = dialog.request
    dialog.deleteLater()
    return (request,) if wanted and request is not None else None


class LearnDialog(QDialog):
    """Shows what the engine says of a request, and makes the request."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent)
        self.setObjectName("learn")
        self.setWindowTitle(translated("Learn from the reviewed images"))
        self._context, self._tuning = context, context.tuning
        self.line = label(self.tr("Looking at what is reviewed…"))
        self.line.setWordWrap(True)
        font = self.line.font()
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self.line.setFont(font)
        self.told = label(role="muted")
        self.told.setWordWrap(True)
        self.unfold = QToolButton()
        self.unfold.setText(self.tr("Details"))
        self.unfold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.unfold.setCheckable(True)
        self.unfold.toggled.connect(self._unfold)
        self.details = Details(context)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.learn = self._buttons.addButton(self.tr("Learn"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.learn.setProperty("primary", True)
        self.learn.setDefault(True)
        self.learn.setEnabled(False)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        layout = column(self, margin=theme.WIDE)
        layout.addWidget(self.line)
        layout.addWidget(self.told)
        layout.addWidget(self.unfold)
        layout.addWidget(self.details)
        layout.addStretch(1)
        layout.addWidget(self._buttons)
        self.setMinimumWidth(520)
        self.details.hide()
        self._unfold(False)
        self._soon = QTimer(self, interval=_SOON_MS, singleShot=True)
        self._soon.timeout.connect(self._describe)
        self.details.changed.connect(self._soon.start)
        self._tuning.described.connect(self._show)
        self._describe()

    @property
    def request(self) -> FineTune | None:
        """What the person wants; None where no project is open."""
        folder, model = self._context.desk.folder, self._context.proposals.model
        return None if folder is None else self.details.applied_to(FineTune(folder, against=model))

    @Slot()
    def _describe(self) -> None:
        if self.request is not None:
            self._tuning.describe(self.request)

    @Slot(bool)
    def _unfold(self, on: bool) -> None:
        self.details.setVisible(on)
        self.unfold.setIcon(theme.icon("up" if on else "down"))
        grow(self)

    @Slot()
    def _show(self) -> None:
        found, problem = self._tuning.description, self._tuning.problem
        self.learn.setEnabled(found is not None)
        if found is not None and not self.details.isVisible():
            self.learn.setFocus()  # it could not have the keyboard before: Return is to learn
        self.unfold.setVisible(found is not None or self.unfold.isChecked())
        if found is None:
            self.line.setText(problem)
            self.told.clear()
            grow(self)
            return
        self.line.setText(in_one_line(found))
        self.told.setText("\n".join(_told(found)))
        self.details.take(found)
        grow(self)


def in_one_line(found: TuneDescription) -> str:
    """What it learns from, and how long that takes."""
    parts = [
        counted(found.images, translated("1 reviewed image"), translated("{} reviewed images")),
        counts.instances(found.instances),
        counted(len(found.classes), translated("1 class"), translated("{} classes")),
    ]
    if found.empty:
        parts.append(translated("{} confirmed empty").format(f"{found.empty:,}"))
    span = translated("about {} on this machine").format(in_words(found.seconds))
    return f"{', '.join(parts)}; {span}"


def _told(found: TuneDescription) -> list[str]:
    told = [*found.warnings]
    if found.held_out:
        held = counted(
            found.held_out,
            translated("One of them is held out: old and new model are compared on it"),
            translated("{} of them are held out: old and new model are compared on those"),
        )
        told.insert(0, translated("{}, and the better one is used.").format(held))
    if found.left_out:
        left = counts.images(found.left_out)
        told.append(translated("{} left out: the file is gone or was changed.").format(left))
    return told


class Details(QWidget):
    """What can be chosen; a field that nobody touched shows what the engine chose, and asks for nothing."""

    changed = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._touched: set[str] = set()
        self._is_filling = False
        self.base, self.unit, self.frozen = QComboBox(), QComboBox(), QComboBox()
        self.length = _spin(1, _MOST_STEPS)
        self.side, self.seed = _spin(64, _MOST_SIDE, self.tr(" px")), _spin(0, 2**31 - 1)
        self.held_out = _spin(5, 50, " %")
        self.held_out.setValue(_HELD_OUT)
        self.held_out.setToolTip(
            self.tr("Of images reviewed from now on; what was held out once stays held out")
        )
        self.classes = QListWidget()
        self.classes.setFixedHeight(112)
        self.classes.setSpacing(2)
        self.name, self.notes = QLineEdit(), QLineEdit()
        self.notes.setPlaceholderText(self.tr("For yourself: what is special about it"))
        self._fill_choices(context)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(theme.SPACE)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        span = QWidget()
        span.setLayout(bar(self.length, self.unit, None))
        rows: tuple[tuple[str, str, QWidget, QWidget], ...] = (
            ("name", self.tr("Name"), self.name, self.name),
            ("base", self.tr("Begins from"), self.base, self.base),
            ("length", self.tr("Length"), span, self.length),
            ("side", self.tr("Image side"), self.side, self.side),
            ("frozen", self.tr("Kept as it is"), self.frozen, self.frozen),
            ("classes", self.tr("Classes"), self.classes, self.classes),
            ("held_out", self.tr("Held out"), self.held_out, self.held_out),
            ("seed", self.tr("Seed"), self.seed, self.seed),
            ("notes", self.tr("Notes"), self.notes, self.notes),
        )
        for _, title, shown, field in rows:
            field.setAccessibleName(title)
            form.addRow(title, shown)
        self.unit.setAccessibleName(self.tr("Unit of the length"))
        self.reset = QPushButton(self.tr("As proposed"))
        self.reset.clicked.connect(self._reset)
        form.addRow("", bar(None, self.reset))
        self._connect()

    def _fill_choices(self, context: Context) -> None:
        self.unit.addItem(self.tr("steps"), "iterations")
        self.unit.addItem(self.tr("minutes"), "minutes")
        for stages, title in enumerate(  # the stem and the stages of the body
            (
                self.tr("nothing: all of it learns"),
                self.tr("the first layer"),
                self.tr("the first layer and one stage"),
                self.tr("the first layer and two stages"),
                self.tr("the first layer and three stages"),
                self.tr("the whole body: only the heads learn"),
            )
        ):
            self.frozen.addItem(title, stages)
        self.base.addItem("", _AUTOMATIC)
        self.base.addItem(self.tr("the model in use, trained on"), _CONTINUE)
        for model in context.models.listed:
            if model.version is not None or model.state is ModelState.AVAILABLE:
                self.base.addItem(model.name, model.name)

    def _connect(self) -> None:
        for name, signal in (
            ("name", self.name.textEdited),
            ("base", self.base.activated),
            ("length", self.length.valueChanged),
            ("length", self.unit.activated),
            ("side", self.side.valueChanged),
            ("frozen", self.frozen.activated),
            ("classes", self.classes.itemChanged),
            ("held_out", self.held_out.valueChanged),
            ("seed", self.seed.valueChanged),
            ("notes", self.notes.textEdited),
        ):
            signal.connect(lambda _value=None, name=name: self._touch(name))

    def _touch(self, name: str) -> None:
        if not self._is_filling:
            self._touched.add(name)
            self.reset.setEnabled(True)
            if name != "notes":
                self.changed.emit()

    @Slot()
    def _reset(self) -> None:
        self._touched.clear()
        self.notes.clear()
        self.held_out.setValue(_HELD_OUT)
        self.seed.setValue(0)
        self._touched.clear()
        self.changed.emit()

    def take(self, found: TuneDescription) -> None:
        """Show what the engine chose where the person did not."""
        self._is_filling = True
        free = self._touched.isdisjoint
        if free(("name",)):
            self.name.setText(found.name)
        if free(("base",)):
            self.base.setItemText(0, found.base)
            self.base.setCurrentIndex(0)
        if free(("length",)):
            unit = "iterations" if found.iterations is not None else "minutes"
            self.unit.setCurrentIndex(self.unit.findData(unit))
            self.length.setValue(round(found.iterations or found.minutes or 1))
        if free(("side",)):
            self.side.setValue(found.side)
        if free(("frozen",)):
            self.frozen.setCurrentIndex(self.frozen.findData(found.frozen_stages))
        if free(("classes",)):
            self.classes.clear()
            for name, count in found.classes:
                item = QListWidgetItem(f"{name}  ({count:,})")
                item.setData(Qt.ItemDataRole.UserRole, name)
                item.setCheckState(Qt.CheckState.Checked)
                self.classes.addItem(item)
        self.reset.setEnabled(bool(self._touched))
        self._is_filling = False

    def applied_to(self, request: FineTune) -> FineTune:
        """The request with what the person chose."""
        chosen: dict[str, object] = {}
        if "name" in self._touched and self.name.text().strip():
            chosen["name"] = self.name.text().strip()
        if "base" in self._touched:
            base = self.base.currentData()
            chosen |= {"continue_active": True} if base == _CONTINUE else {"base": base or None}
        if "length" in self._touched:
            value = self.length.value()
            steps = self.unit.currentData() == "iterations"
            chosen |= {"iterations": value} if steps else {"minutes": float(value)}
        if "side" in self._touched:
            chosen["side"] = self.side.value()
        if "frozen" in self._touched:
            chosen["frozen_stages"] = self.frozen.currentData()
        if "classes" in self._touched:
            items = (self.classes.item(row) for row in range(self.classes.count()))
            chosen["classes"] = tuple(
                item.data(Qt.ItemDataRole.UserRole)
                for item in items
                if item.checkState() is Qt.CheckState.Checked
            )
        if "held_out" in self._touched:
            chosen["held_out"] = self.held_out.value() / 100
        if "seed" in self._touched:
            chosen["seed"] = self.seed.value()
        return replace(request, notes=self.notes.text().strip(), **chosen)  # type: ignore[arg-type]


def _spin(least: int, most: int, suffix: str = "") -> QSpinBox:
    made = QSpinBox()
    made.setRange(least, most)
    made.setSuffix(suffix)
    made.setMinimumWidth(110)
    made.setKeyboardTracking(False)
    return made
