"""The gate's sheet: old and new model on the same held-out images, in words, figures and pictures.

Shows a verdict, of the last training or of an earlier version; decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QUrl
from PySide6.QtGui import QAction, QColor, QDesktopServices, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine.messages import Verdict
from gui import theme
from gui.background import Background
from gui.commands.registry import Context, translated
from gui.panels.parts import column, label, line
from gui.panels.shots import Shot, ShotView
from gui.verdicts import SAME, Figure, Told, by_class, figures, of_comparison, of_gate

_SHOT = QSize(700, 190)
_HEAD = 14  # characters of a column's head
_ACTIONS = ("tune.use_new", "tune.go_back")


def show_verdict(parent: QWidget, context: Context, verdict: Verdict) -> VerdictDialog:
    """Open the sheet beside the work, in the place of one that is open. It does not take the keyboard."""
    actions = [action for id_ in _ACTIONS if (action := parent.findChild(QAction, id_)) is not None]
    return _show(parent, VerdictDialog(parent, verdict, of_gate(verdict), context.desk.background, actions))


def show_comparison(parent: QWidget, context: Context, verdict: Verdict) -> VerdictDialog:
    """As `show_verdict`, for two models of which nothing was decided."""
    return _show(parent, VerdictDialog(parent, verdict, of_comparison(verdict), context.desk.background))


def _show(parent: QWidget, dialog: VerdictDialog) -> VerdictDialog:
    for one in parent.findChildren(VerdictDialog):
        if one is not dialog:
            one.close()
    dialog.show()
    return dialog


class VerdictDialog(QDialog):
    """Stays beside the work. actions: such as to go back; seen while they can be run."""

    def __init__(
        self,
        parent: QWidget,
        verdict: Verdict,
        told: Told,
        background: Background,
        actions: Sequence[QAction] = (),
    ) -> None:
        super().__init__(parent)
        self.setObjectName("verdict")
        self.setWindowTitle(translated("Old and new model"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.verdict = verdict
        self._told = told
        self.shots: list[ShotView] = []
        self.title = label(told.title, "heading")
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.told = label(told.words)
        self.told.setWordWrap(True)
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        body = QWidget()
        inner = column(body, margin=theme.WIDE)
        inner.addLayout(self._head())
        inner.addWidget(self.told)
        if verdict.new is not None:
            inner.addWidget(Interval(verdict))
            inner.addLayout(self._tables())
        self._add_pictures(inner, background)
        inner.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(body)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addWidget(line())
        layout.addWidget(self._foot(actions))
        self.resize(_SHOT.width() + 5 * theme.WIDE, 640 if verdict.new is not None else 260)

    def _head(self) -> QHBoxLayout:
        now = theme.colors()
        picture = label()
        name, color = ("accept", now.good) if self._told.is_good else ("info", now.warning)
        picture.setPixmap(theme.icon_pixmap(name, color, 24, self.devicePixelRatioF()))
        font = self.title.font()
        font.setPointSizeF(font.pointSizeF() * 1.3)
        font.setBold(True)
        self.title.setFont(font)
        row = QHBoxLayout()
        row.setSpacing(theme.SPACE)
        row.addWidget(picture)
        row.addWidget(self.title, 1)
        return row

    def _tables(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * theme.WIDE)
        row.addWidget(Table(figures(self.verdict), self._told.heads), 1, Qt.AlignmentFlag.AlignTop)
        classes = by_class(self.verdict)
        if classes:
            table = Table(classes, self._told.heads, title=self.tr("Mask AP by class"))
            row.addWidget(table, 1, Qt.AlignmentFlag.AlignTop)
        return row

    def _add_pictures(self, layout: QVBoxLayout, background: Background) -> None:
        shots = pictures(self.verdict)
        if not shots:
            return
        layout.addSpacing(theme.SPACE)
        layout.addWidget(
            label(self.tr("Where they differ most: the truth, {}, {}").format(*self._told.heads), "heading")
        )
        for shot in shots:
            view = ShotView(background, _SHOT)
            view.take(shot)
            layout.addWidget(view, 0, Qt.AlignmentFlag.AlignLeft)
            self.shots.append(view)

    def _foot(self, actions: Sequence[QAction]) -> QWidget:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        for action in actions:
            button = QPushButton(action.text().replace("&", ""))
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
            button.clicked.connect(action.trigger)
            button.setVisible(action.isEnabled())
            action.enabledChanged.connect(button.setVisible)
        page = Path(self.verdict.report) / "report.html"
        if self.verdict.report and page.is_file():
            full = buttons.addButton(self.tr("Full report"), QDialogButtonBox.ButtonRole.HelpRole)
            full.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(page))))
        foot = QWidget()
        column(foot, margin=theme.SPACE).addWidget(buttons)
        return foot


def pictures(verdict: Verdict) -> list[Shot]:
    """The report's sheets of the images that differ most, with their AP before and after."""
    shots = []
    for number, one in enumerate(verdict.differing, start=1):
        file = Path(verdict.report) / f"image_{number:02}.png"
        if verdict.report and file.is_file():
            told = f"AP {one.old_ap:.2f} → {one.new_ap:.2f}"
            shots.append(Shot(file, one.path, told, hint=str(file)))
    return shots


class Table(QWidget):
    """Figures of old and new side by side; a difference has the colour of better or worse."""

    def __init__(self, rows: Sequence[Figure], heads: tuple[str, str], title: str = "") -> None:
        super().__init__()
        now = theme.colors()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.WIDE)
        grid.setVerticalSpacing(theme.TIGHT)
        grid.setColumnStretch(0, 1)
        right = Qt.AlignmentFlag.AlignRight
        grid.addWidget(label(title, "heading"), 0, 0)
        for place, name in enumerate(heads, start=1):
            room = self.fontMetrics().averageCharWidth() * _HEAD
            shown = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, room)
            head = label(shown, "muted")
            head.setToolTip(name)
            grid.addWidget(head, 0, place, right)
        for place, row in enumerate(rows, start=1):
            grid.addWidget(label(row.name), place, 0)
            grid.addWidget(label(row.old, "muted"), place, 1, right)
            grid.addWidget(label(row.new), place, 2, right)
            difference = label(row.difference)
            if row.gain is not None and abs(row.gain) >= SAME:
                difference.setStyleSheet(f"color: {now.good if row.gain > 0 else now.danger}")
            grid.addWidget(difference, place, 3, right)


class Interval(QWidget):
    """The difference of AP as a dot with its 80 % interval around it, over a line at no difference."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self._verdict = verdict
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(verdict.certainty)
        self.setAccessibleName(self.tr("Difference of AP, new minus old"))
        self.setAccessibleDescription(
            f"{verdict.difference:+.3f}, {verdict.low:+.3f} … {verdict.high:+.3f}".replace("-", "−")
        )

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(320, 2 * self.fontMetrics().height() + 2 * theme.SPACE)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        now, verdict, painter = theme.colors(), self._verdict, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        words = self.fontMetrics().height()
        reach = 1.25 * max(abs(verdict.low), abs(verdict.high), 0.02)
        middle, half = self.width() / 2, self.width() / 2
        y = theme.SPACE + words / 2

        def at(value: float) -> float:
            return middle + half * value / reach

        painter.setPen(QPen(QColor(now.line), 1))
        painter.drawLine(QPointF(0, y), QPointF(self.width(), y))
        painter.drawLine(QPointF(middle, y - 8), QPointF(middle, y + 8))
        color = now.good if verdict.low > 0 else now.danger if verdict.high < 0 else now.warning
        painter.setPen(QPen(QColor(color), 4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(at(verdict.low), y), QPointF(at(verdict.high), y))
        painter.setPen(QPen(QColor(now.window), 2))
        painter.setBrush(QColor(color))
        painter.drawEllipse(QPointF(at(verdict.difference), y), 7, 7)
        painter.setPen(QColor(now.muted))
        below = QRectF(0, y + theme.SPACE, self.width(), words)
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        painter.drawText(below, left, self.tr("← worse"))
        painter.drawText(below, right, self.tr("better →"))
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self.tr("no difference"))
