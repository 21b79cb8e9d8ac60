"""Model versions: where each came from and how good it is; name, notes, comparison, copy, deletion, use.

Shows `Versions` and asks it for everything; stays open beside the work.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QCloseEvent, QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui import theme
from gui.commands.registry import Context, translated
from gui.dialogs.beside import Beside
from gui.dialogs.verdict import show_comparison
from gui.dialogs.version_details import VersionDetails
from gui.panels.jobs import in_words
from gui.panels.parts import bar, column, label
from gui.panels.version_plot import VersionPlot
from gui.version_words import columns, deleting, plotted

_NAME = Qt.ItemDataRole.UserRole
_BESIDE = 380
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class VersionsDialog(Beside):
    """The list and AP over versions at the left, what is known of the marked one or two at the right."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent, context)
        assert context.versions is not None
        self.setObjectName("versions")
        self.setWindowTitle(translated("Model versions"))
        self._behind, self._context, self._versions = parent, context, context.versions
        self._is_filling = False
        self.list = self._make_list()
        self.plot = VersionPlot()
        self.plot.picked.connect(self.mark)
        self.details = VersionDetails(self._versions, context.models)
        self.details.wants_file.connect(self._ask_where)
        self.details.wants_deletion.connect(self._ask_deletion)
        self.details.wants_verdict.connect(self._show_verdict)
        self.told = label()
        self.told.setWordWrap(True)
        self._make_question()
        self._make_job()
        self._lay_out()
        for signal in (self._versions.changed, context.tuning.changed):
            signal.connect(self.refresh)
        self._versions.progressed.connect(self._show_job)
        self._versions.failed.connect(self._tell)
        self._versions.said.connect(self._tell)
        self._tell("")
        self._show_job()
        self.refresh()
        self._versions.read()

    def _make_list(self) -> QTreeWidget:
        made = QTreeWidget()
        made.setAccessibleName(self.tr("Model versions"))
        made.setRootIsDecorated(False)
        made.setUniformRowHeights(True)
        made.setIconSize(QSize(16, 16))
        made.setStyleSheet("QTreeView::item { padding: 4px 6px; }")
        made.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        heads = ("Name", "Made", "From", "Images", "Mask AP", "Gain (80 %)")
        made.setHeaderLabels([translated(one) for one in heads])
        made.headerItem().setToolTip(
            5,
            translated(
                "Of mask AP over the model in use then, and where it would lie in four cases of five "
                "with other images of the same kind"
            ),
        )
        header = made.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for place in (3, 4, 5):
            made.headerItem().setTextAlignment(place, _RIGHT)
        made.itemSelectionChanged.connect(self._on_marked)
        made.itemDoubleClicked.connect(self._on_double_click)
        return made

    def _make_question(self) -> None:
        """What deletion does, said before it is done."""
        self.question = QWidget()
        self.asked = label()
        self.asked.setWordWrap(True)
        self.confirm = QPushButton(self.tr("Delete"))
        self.confirm.clicked.connect(self._delete)
        self.confirm.setStyleSheet(f"color: {theme.colors().danger}")
        self.keep = QPushButton(self.tr("Keep it"))
        self.keep.clicked.connect(self.question.hide)
        layout = column(self.question, margin=0)
        layout.addWidget(self.asked)
        layout.addLayout(bar(None, self.keep, self.confirm))
        self.question.hide()

    def _make_job(self) -> None:
        self.job = QWidget()
        self._doing = label()
        self.bar = QProgressBar()
        self.bar.setAccessibleName(self.tr("Images measured"))
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.stop = QPushButton(self.tr("Stop"))
        self.stop.clicked.connect(self._versions.stop)
        row = QHBoxLayout(self.job)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.SPACE)
        row.addWidget(self._doing)
        row.addWidget(self.bar, 1)
        row.addWidget(self.stop)

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(theme.SPACE)
        left.addWidget(self.list, 1)
        self._plot_title = label(self.tr("Mask AP, each on the images held out at its time"), "heading")
        left.addWidget(self._plot_title)
        left.addWidget(self.plot)
        beside = QWidget()
        beside.setFixedWidth(_BESIDE)
        right = column(beside, margin=0)
        right.addWidget(self.details, 1)
        right.addWidget(self.question)
        both = QHBoxLayout()
        both.setSpacing(theme.WIDE)
        both.addLayout(left, 1)
        both.addWidget(beside)
        layout = column(self, margin=theme.WIDE)
        layout.addLayout(both, 1)
        layout.addWidget(self.told)
        layout.addWidget(self.job)
        self.resize(1080, 620)

    @property
    def marked(self) -> list[str]:
        """The names of the marked ones, in the order of the list."""
        rows = (self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount()))
        return [item.data(0, _NAME) for item in rows if item is not None and item.isSelected()]

    @Slot(str)
    def mark(self, *names: str) -> None:
        """Mark these, and no others."""
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            if item is not None:
                item.setSelected(item.data(0, _NAME) in names)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """A comparison that nobody waits for any more is given up."""
        self.details.keep()
        self._versions.stop()
        super().closeEvent(event)

    @Slot()
    def refresh(self) -> None:
        """Show what there is now; what is marked stays so where it is still there."""
        marked = self.marked or [self._versions.in_use]
        here = folder.name if (folder := self._context.desk.folder) is not None else ""
        self._is_filling = True
        self.list.clear()
        for one in self._versions.listed:
            item = QTreeWidgetItem(list(columns(one)))
            item.setData(0, _NAME, one.name)
            for place in (3, 4, 5):
                item.setTextAlignment(place, _RIGHT)
            is_used = one.name == self._versions.in_use
            now = theme.colors()
            if one.project not in ("", here) and not is_used:
                for place in range(self.list.columnCount()):
                    item.setForeground(place, QColor(now.muted))
            item.setIcon(0, theme.icon_pixmap("accept", now.good if is_used else "none", 16))
            item.setToolTip(0, translated("In use") if is_used else one.problem)
            if is_used:
                font = item.font(0)
                font.setBold(True)
                item.setFont(0, font)
            self.list.addTopLevelItem(item)
        self.mark(*marked)
        self._is_filling = False
        self._on_marked()

    @Slot()
    def _on_marked(self) -> None:
        if self._is_filling:
            return
        marked = self.marked
        self.question.hide()
        self.details.show_versions([one for name in marked if (one := self._versions.named(name))])
        points = plotted(self._versions.curve)
        for widget in (self.plot, self._plot_title):
            widget.setVisible(bool(points))
        self.plot.take(points, marked=marked[0] if marked else "", in_use=self._versions.in_use)

    @Slot()
    def _on_double_click(self) -> None:
        self.details.use.click()

    @Slot(str)
    def _tell(self, sentence: str) -> None:
        self.told.setText(sentence)
        self.told.setVisible(bool(sentence))

    @Slot(str)
    def _ask_where(self, name: str) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Copy {} to").format(name))
        if folder:
            self._versions.export(name, Path(folder))

    @Slot(str)
    def _ask_deletion(self, name: str) -> None:
        one = self._versions.named(name)
        if one is not None:
            self.asked.setText(deleting(one, self._versions.listed, self._context.models.active.previous))
            self.question.show()
            self.keep.setFocus()

    @Slot()
    def _delete(self) -> None:
        self.question.hide()
        for name in self.marked[:1]:
            self._versions.delete(name)

    @Slot(str)
    def _show_verdict(self, name: str) -> None:
        one = self._versions.named(name)
        if one is not None and one.verdict is not None:
            show_comparison(self._behind, self._context, one.verdict)

    @Slot()
    def _show_job(self) -> None:
        now = self._versions.comparison
        self.job.setVisible(now is not None)
        self.details.set_busy(now is not None)
        if now is None:
            return
        self._tell("")
        told = self.tr("Measuring {} and {}").format(now.first, now.second)
        if now.total:
            told += self.tr(", {} of {} images").format(now.done, now.total)
        if now.seconds_left:
            told += self.tr(", {} left").format(in_words(now.seconds_left))
        self._doing.setText(told)
        self.bar.setRange(0, now.total)
        self.bar.setValue(now.done)
