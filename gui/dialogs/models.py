"""The model picker: what each model knows, how well it does, and the download of those that are not here."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.models.spec import has_masks
from engine.models.store import ListedModel, ModelState
from gui.commands.registry import Context
from gui.models import Models
from gui.theme import SPACE, WIDE

_AP_NAMES = (("held_out_mask_ap", "mask"), ("mask_ap", "mask"), ("held_out_box_ap", "box"), ("box_ap", "box"))


def ask_model(parent: QWidget, context: Context) -> tuple[str] | None:
    """Which model to use; None where the person backs out."""
    dialog = ModelDialog(parent, context.models)
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    name = dialog.name
    dialog.deleteLater()
    return (name,) if wanted and name else None


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelDialog", text)


def in_brief(model: ListedModel) -> str:
    """One line on a model: where it stands, its classes, its AP."""
    parts = []
    if model.state is ModelState.AVAILABLE:
        parts.append(_tr("COCO, {:.0f} MB to download").format(model.size / 1e6))
    elif model.version is not None:
        count = len(model.version.card.classes)
        parts.append(_tr("1 class") if count == 1 else _tr("{} classes").format(count))
        ap = ap_of(model)
        if ap:
            parts.append(ap)
    elif model.problem:
        parts.append(_tr("damaged"))
        return parts[0]
    architecture = model.version.card.spec.architecture if model.version is not None else model.name
    if not has_masks(architecture):
        parts.append(_tr("boxes alone"))
    return " · ".join(parts)


def ap_of(model: ListedModel) -> str:
    """The model's AP as its card tells it; empty where it does not."""
    metrics = dict(model.version.card.metrics) if model.version else {}
    for name, kind in _AP_NAMES:
        if name in metrics:
            title = _tr("mask AP") if kind == "mask" else _tr("box AP")
            return f"{title} {metrics[name]:.2f}"
    return ""


class ModelDialog(QDialog):
    """A list on the left, what is known of the chosen one on the right."""

    def __init__(self, parent: QWidget, models: Models) -> None:
        super().__init__(parent)
        self.setObjectName("models")
        self.setWindowTitle(self.tr("Models"))
        self.resize(720, 420)
        self._models = models
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Models"))
        self.list.setMinimumWidth(300)
        self.list.setSpacing(3)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._facts = QLabel()
        self._facts.setWordWrap(True)
        self._facts.setTextFormat(Qt.TextFormat.RichText)
        self._facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._bar = QProgressBar()
        self._bar.setAccessibleName(self.tr("Download"))
        self.stop = QPushButton(self.tr("Stop"))
        self.stop.clicked.connect(models.stop)
        self.fetch = QPushButton(self.tr("Download"))
        self.fetch.clicked.connect(self._on_fetch)
        self._problem = QLabel()
        self._problem.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.use = buttons.addButton(self.tr("Use this model"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.use.setProperty("primary", True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self._lay_out(buttons)
        self.list.currentItemChanged.connect(self._show_facts)
        self.list.itemDoubleClicked.connect(self._on_double_click)
        models.changed.connect(self._refresh)
        models.failed.connect(self._problem.setText)
        self._refresh()
        models.read()

    @property
    def name(self) -> str:
        """The name of the model that is marked."""
        model = self._marked
        return model.name if model else ""

    @property
    def _marked(self) -> ListedModel | None:
        if self.list.currentRow() < 0:
            return None
        found = self.list.currentItem().data(Qt.ItemDataRole.UserRole)
        return found if isinstance(found, ListedModel) else None

    def _lay_out(self, buttons: QDialogButtonBox) -> None:
        download = QHBoxLayout()
        for widget in (self._bar, self.stop, self.fetch):
            download.addWidget(widget)
        download.addStretch()
        right = QVBoxLayout()
        right.setSpacing(SPACE)
        right.addWidget(self._facts, 1)
        right.addWidget(self._problem)
        right.addLayout(download)
        both = QHBoxLayout()
        both.setSpacing(WIDE)
        both.addWidget(self.list)
        both.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(WIDE)
        layout.addLayout(both, 1)
        layout.addWidget(buttons)

    @Slot()
    def _refresh(self) -> None:
        marked = self.name or self._models.chosen
        self.list.blockSignals(True)
        self.list.clear()
        # What is here stands first.
        for model in sorted(self._models.listed, key=lambda one: one.state is ModelState.AVAILABLE):
            in_use = self.tr("in use") if model.name == self._models.chosen else ""
            line = "\n".join((model.name, " · ".join(filter(None, (in_brief(model), in_use)))))
            item = QListWidgetItem(line)
            item.setData(Qt.ItemDataRole.UserRole, model)
            self.list.addItem(item)
            if model.name == marked:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        self._show_facts()

    @Slot()
    def _show_facts(self) -> None:
        model, download = self._marked, self._models.download
        can_use = model is not None and model.version is not None
        self.use.setEnabled(can_use)
        self.fetch.setVisible(model is not None and model.state is ModelState.AVAILABLE and download is None)
        self._bar.setVisible(download is not None)
        self.stop.setVisible(download is not None)
        if download is not None:
            self._problem.clear()
            self._bar.setRange(0, max(download.total >> 10, 0))
            self._bar.setValue(download.done >> 10)
            self._bar.setFormat(
                self.tr("{done:.0f} of {total:.0f} MB").format(
                    done=download.done / 1e6, total=download.total / 1e6
                )
            )
        self._facts.setText(_facts(model) if model else "")

    @Slot()
    def _on_fetch(self) -> None:
        self._problem.clear()
        if self.name:
            self._models.fetch(self.name)

    @Slot()
    def _on_double_click(self) -> None:
        if self.use.isEnabled():
            self.accept()


def _facts(model: ListedModel) -> str:
    head = f"<h3>{model.name}</h3>"
    if model.problem:
        return f"{head}<p>{model.problem}</p>"
    if model.version is None:
        text = _tr(
            "Trained on COCO: 80 classes of everyday objects, such as persons, vehicles, animals, furniture "
            "and food. It is downloaded once ({:.0f} MB) and then stays on this computer."
        )
        return f"{head}<p>{text.format(model.size / 1e6)}</p>"
    card = model.version.card
    rows = [
        (_tr("Quality"), ap_of(model) or _tr("not measured")),
        (_tr("Network"), card.spec.architecture),
        (_tr("Made"), card.created[:10]),
        (_tr("From"), card.parent or ""),
    ]
    table = "".join(
        f"<tr><td style='padding-right:12px'>{name}</td><td>{value}</td></tr>"
        for name, value in rows
        if value
    )
    classes = ", ".join(name for name in card.classes if not name.startswith("unused_"))
    return f"{head}<table>{table}</table><p>{_tr('Knows')}: {classes}</p>"
