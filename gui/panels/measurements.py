"""The table of measurements and the histogram of one of its columns; clicking either selects instances.

Shows what `gui.measuring` measured, tells editor and desk what to select and show; changes no document.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTableView,
    QToolTip,
    QWidget,
)

from engine.measure.project import Measured
from engine.media.scan import is_video_name
from gui import counts, theme
from gui.desk import Desk
from gui.measuring import Measuring, Scope
from gui.panels.parts import EmptyHint, bar, button, column, label

Index = QModelIndex | QPersistentModelIndex
_BINS = 24
_HISTOGRAM = 150
_FIRST_FIGURE = 3
_FIELDS = (
    "area", "perimeter", "length", "width", "orientation", "circularity", "mean_intensity", "centroid_x",
    "centroid_y",
)  # fmt: skip


class MeasuredModel(QAbstractTableModel):
    """A row an instance: image, class, score, then the figures in units."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Measured] = []
        self.figures: NDArray[np.float64] = np.zeros((0, len(_FIELDS)))
        self._unit = ""
        self._titles: tuple[str, ...] = ()
        self.take((), "px")

    def take(self, rows: Sequence[Measured], unit: str) -> None:
        """Show these; unit: of lengths, empty where rows have different ones."""
        self.beginResetModel()
        self.rows = list(rows)
        self.figures = np.array(
            [[getattr(units, name) for name in _FIELDS] for units in (one.in_units for one in rows)]
        ).reshape(-1, len(_FIELDS))
        length, area = (unit, f"{unit}²") if unit else ("", "")
        self._titles = (
            self.tr("Image"), self.tr("Class"), self.tr("Score"), _with(self.tr("Area"), area),
            _with(self.tr("Perimeter"), length), _with(self.tr("Length"), length),
            _with(self.tr("Width"), length), _with(self.tr("Angle"), "°"), self.tr("Circularity"),
            self.tr("Intensity"), _with("x", "px"), _with("y", "px"),
        )  # fmt: skip
        self.endResetModel()

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the columns."""
        return self._titles

    def rowCount(self, parent: Index | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, _parent: Index | None = None) -> int:  # noqa: N802
        return len(self._titles)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self._titles[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() >= _FIRST_FIGURE - 1:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        row = self.rows[index.row()]
        match index.column():
            case 0:
                return f"{row.image} · {row.frame:,}" if is_video_name(row.image) or row.frame else row.image
            case 1:
                return row.class_name
            case 2:
                return "" if math.isnan(row.score) else f"{row.score:.2f}"
        return number_text(float(self.figures[index.row(), index.column() - _FIRST_FIGURE]))

    def sort(self, place: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; what has no such figure comes last."""
        if place < 0 or not self.rows:
            return
        falling = order == Qt.SortOrder.DescendingOrder
        if place >= _FIRST_FIGURE or place == 2:
            values = (
                np.array([row.score for row in self.rows])
                if place == 2
                else self.figures[:, place - _FIRST_FIGURE]
            )
            found = np.argsort(-values if falling else values, kind="stable").tolist()
        else:
            keys = [(row.image, row.frame) if place == 0 else (row.class_name, 0) for row in self.rows]
            found = sorted(range(len(self.rows)), key=keys.__getitem__, reverse=falling)
        self.layoutAboutToBeChanged.emit()
        kept = {id(self.rows[old]): new for new, old in enumerate(found)}
        before = self.persistentIndexList()
        after = [self.index(kept[id(self.rows[one.row()])], one.column()) for one in before]
        self.rows = [self.rows[old] for old in found]
        self.figures = self.figures[found]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


class Histogram(QWidget):
    """How a column's values are spread; a click takes the rows of a bar."""

    picked = Signal(object)  # list of row numbers

    def __init__(self) -> None:
        super().__init__()
        self.edges: NDArray[np.float64] = np.zeros(0)
        self.counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self._values: NDArray[np.float64] = np.zeros(0)
        self._chosen: int | None = None
        self.setAccessibleName(self.tr("Histogram"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(320, _HISTOGRAM)

    def take(self, values: NDArray[np.float64]) -> None:
        """Show these values, one a row; NaN is left out."""
        self._values, self._chosen = values, None
        there = values[np.isfinite(values)]
        if len(there):
            counts, self.edges = np.histogram(there, _BINS if there.min() < there.max() else 1)
            self.counts = counts.astype(np.int64)
        else:
            self.counts, self.edges = np.zeros(0, np.int64), np.zeros(0)
        self.setAccessibleDescription(
            "; ".join(self._told(number) for number in range(len(self.counts)) if self.counts[number])
        )
        self.update()

    def rows_of(self, bar_number: int) -> list[int]:
        """The rows whose values lie in a bar."""
        low, high = self.edges[bar_number], self.edges[bar_number + 1]
        is_last = bar_number == len(self.counts) - 1
        with np.errstate(invalid="ignore"):
            inside = (self._values >= low) & ((self._values < high) | (is_last & (self._values <= high)))
        rows: list[int] = np.flatnonzero(inside).tolist()
        return rows

    def bar_at(self, at: QPoint) -> int | None:
        """The bar in whose column a point lies."""
        if not len(self.counts):
            return None
        number = int(at.x() * len(self.counts) / max(self.width(), 1))
        return min(max(number, 0), len(self.counts) - 1)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._chosen = self.bar_at(event.position().toPoint())
        if self._chosen is not None:
            self.picked.emit(self.rows_of(self._chosen))
        self.update()

    def event(self, event: object) -> bool:
        if isinstance(event, QHelpEvent):
            number = self.bar_at(event.pos())
            QToolTip.showText(event.globalPos(), "" if number is None else self._told(number), self)
            return True
        return super().event(event)  # type: ignore[arg-type]

    def _told(self, number: int) -> str:
        low, high = number_text(float(self.edges[number])), number_text(float(self.edges[number + 1]))
        words = counts.instances(int(self.counts[number]))
        return f"{low} – {high}: {words}"

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        now, painter = theme.colors(), QPainter(self)
        if not len(self.counts):
            return
        foot = painter.fontMetrics().height() + theme.TIGHT
        room, most = self.height() - foot - 2, int(self.counts.max())
        breadth = self.width() / len(self.counts)
        for number, count in enumerate(self.counts.tolist()):
            high = max(room * count / most, 2) if count else 0
            rect = QRectF(number * breadth + 1, room - high + 2, max(breadth - 2, 1), high)
            painter.fillRect(rect, QColor(now.accent if number != self._chosen else now.warning))
        painter.fillRect(QRectF(0, room + 2, self.width(), 1), QColor(now.raised))
        painter.setPen(QColor(now.muted))
        line = QRectF(0, self.height() - foot + theme.TIGHT, self.width(), foot - theme.TIGHT)
        middle = float((self.edges[0] + self.edges[-1]) / 2)
        for value, side in (
            (float(self.edges[0]), Qt.AlignmentFlag.AlignLeft),
            (middle, Qt.AlignmentFlag.AlignHCenter),
            (float(self.edges[-1]), Qt.AlignmentFlag.AlignRight),
        ):
            painter.drawText(line, int(side), number_text(value))


class MeasurementsPanel(QWidget):
    """Scope, table, histogram, scale and the way to a file."""

    scale_asked = Signal()
    write_asked = Signal()

    def __init__(self, desk: Desk, measuring: Measuring) -> None:
        super().__init__()
        self._desk, self._measuring = desk, measuring
        self._wanted: frozenset[int] = frozenset()  # the instances to select once their image is shown
        self._is_taking = False
        self.scope = QComboBox()
        self.scope.setAccessibleName(self.tr("What is measured"))
        self.scope.addItem(self.tr("This image"), Scope.IMAGE)
        self.scope.addItem(self.tr("Whole project"), Scope.PROJECT)
        self.again = button("refresh", self.tr("Measure again"))
        self.scale = QPushButton()
        self.scale.setAccessibleName(self.tr("Scale"))
        self.scale.setToolTip(self.tr("How long a pixel is"))
        self.save = button("export", self.tr("Write as CSV…"))
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Images measured"))
        self.progress.setMaximumHeight(6)
        self.progress.setTextVisible(False)
        self.stop = button("stop", self.tr("Stop measuring"))
        self.model = MeasuredModel(self)
        self.table = QTableView()
        self.figure = QComboBox()
        self.figure.setAccessibleName(self.tr("Histogram of"))
        self.histogram = Histogram()
        self.summary: QLabel = label(role="muted")
        self._set_up_table()
        layout = column(self)
        top = bar(self.scope, self.again, self.progress, self.stop, None, self.scale, self.save)
        top.setSpacing(theme.SPACE)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addLayout(bar(self.summary, None, label(self.tr("Histogram of")), self.figure))
        layout.addWidget(self.histogram)
        self._connect()
        self._on_progress(1, 1)
        self._take()

    def _set_up_table(self) -> None:
        self.table.setModel(self.model)
        self.table.setAccessibleName(self.tr("Measurements"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.table.setWordWrap(False)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(theme.ICON_SIZE + theme.SPACE)
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.table.horizontalHeader().setHighlightSections(False)
        self.empty = EmptyHint(self.table)

    def _connect(self) -> None:
        self.scope.currentIndexChanged.connect(
            lambda _index: self._measuring.set_scope(self.scope.currentData())
        )
        self.again.clicked.connect(self._measuring.refresh)
        self.stop.clicked.connect(self._measuring.cancel)
        self.scale.clicked.connect(self.scale_asked)
        self.save.clicked.connect(self.write_asked)
        self.figure.currentIndexChanged.connect(lambda _index: self._draw_histogram())
        self.histogram.picked.connect(self.select_rows)
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self.model.layoutChanged.connect(self._draw_histogram)
        self._measuring.changed.connect(self._take)
        self._measuring.progressed.connect(self._on_progress)
        self._desk.editor.image_changed.connect(self._on_image)

    @Slot()
    def _take(self) -> None:
        rows = self._measuring.rows
        units = {row.scale.unit for row in rows} or {self._measuring.scale.unit}
        selected = {row.instance_id for row in self.selected()}
        self._is_taking = True
        self.model.take(rows, units.pop() if len(units) == 1 else "")
        header = self.table.horizontalHeader()
        self.model.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
        self.select_rows([n for n, row in enumerate(self.model.rows) if row.instance_id in selected])
        self._is_taking = False
        chosen = max(self.figure.currentIndex(), 0)
        self.figure.blockSignals(True)
        self.figure.clear()
        self.figure.addItems(self.model.titles[_FIRST_FIGURE:-2])
        self.figure.setCurrentIndex(chosen)
        self.figure.blockSignals(False)
        scale = self._measuring.scale
        self.scale.setText(self.tr("Scale…") if scale.is_pixels else self.tr("1 px = {}").format(scale))
        self.table.setColumnHidden(0, self._measuring.scope is Scope.IMAGE)
        if rows and not self._was_sized:
            self.table.resizeColumnsToContents()
            self._was_sized = True
        self.empty.say("" if rows else self.tr("There is nothing to measure yet."))
        self.save.setEnabled(bool(rows))
        self._draw_histogram()

    _was_sized = False

    @Slot()
    def _draw_histogram(self) -> None:
        place = max(self.figure.currentIndex(), 0)
        values = self.model.figures[:, place]
        self.histogram.take(values)
        words = counts.instances(len(self.model.rows))
        there = values[np.isfinite(values)]
        if len(there):
            words += self.tr(" · mean {} · spread {}").format(
                number_text(float(there.mean())), number_text(float(there.std()))
            )
        if self._measuring.summaries:
            covers = [one.cover for one in self._measuring.summaries if not math.isnan(one.cover)]
            if covers:
                words += self.tr(" · cover {:.1%}").format(sum(covers) / len(covers))
        self.summary.setText(words)

    @Slot(int, int)
    def _on_progress(self, done: int, total: int) -> None:
        for one in (self.progress, self.stop):
            one.setVisible(done < total)
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(done)

    # Selecting

    def selected(self) -> list[Measured]:
        """The selected rows."""
        places = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        return [self.model.rows[place] for place in places if place < len(self.model.rows)]

    @Slot(object)
    def select_rows(self, places: list[int]) -> None:
        """Select these rows, and so their instances."""
        chosen = QItemSelection()
        last = self.model.columnCount() - 1
        for place in places:
            chosen.select(self.model.index(place, 0), self.model.index(place, last))
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.table.selectionModel().select(chosen, flags)
        if places and not self._is_taking:
            self.table.scrollTo(self.model.index(places[0], 0))

    @Slot()
    def _on_selection(self) -> None:
        if self._is_taking:
            return
        rows, shown = self.selected(), self._desk.editor.shown
        if not rows:
            return
        here = [row for row in rows if shown is not None and row.media_id == shown.item.id]
        if here:
            self._desk.editor.select(row.instance_id for row in here)
        elif self._desk.knows(rows[0].media_id):
            self._wanted = frozenset(row.instance_id for row in rows if row.media_id == rows[0].media_id)
            self._desk.show(rows[0].media_id)

    @Slot()
    def _on_image(self) -> None:
        shown, wanted = self._desk.editor.shown, self._wanted
        if shown is None or not wanted:
            return
        self._wanted = frozenset()
        self._desk.editor.select(one.id for one in shown.document.instances if one.id in wanted)


def number_text(value: float) -> str:
    """A figure for people: four digits that count; empty for none."""
    if math.isnan(value):
        return ""
    if value == 0 or 0.01 <= abs(value) < 1e6:
        digits = max(3 - (math.floor(math.log10(abs(value))) if value else 0), 0)
        text = f"{value:,.{min(digits, 4)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3g}"


def _with(title: str, unit: str) -> str:
    return f"{title} ({unit})" if unit else title
