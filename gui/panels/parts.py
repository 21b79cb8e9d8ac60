"""Small pieces that the panels share: buttons, captions, and what an empty list says."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui import theme


def button(icon: str, title: str, hint: str = "", *, checkable: bool = False) -> QToolButton:
    """A flat button with an icon; its title is its accessible name and, with the hint, its tool tip."""
    made = QToolButton()
    made.setIcon(theme.icon(icon))
    made.setIconSize(QSize(theme.ICON_SIZE, theme.ICON_SIZE))
    made.setAccessibleName(title)
    made.setToolTip(f"{title}\n{hint}" if hint else title)
    made.setCheckable(checkable)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def action_button(action: QAction, *, says: bool = False) -> QToolButton:
    """A flat button that stands for an action; `says`: with its words beside the icon."""
    made = QToolButton()
    made.setDefaultAction(action)
    made.setIconSize(QSize(theme.ICON_SIZE, theme.ICON_SIZE))
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setAutoRaise(True)
    if says:
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return made


def bar(*widgets: QWidget | None) -> QHBoxLayout:
    """A row of widgets; None stands for what takes the room that is left."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(theme.TIGHT)
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget)
    return row


def label(text: str = "", role: str = "") -> QLabel:
    """A label; role "muted", "heading" or "error" for its look."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    return made


def line() -> QFrame:
    """A thin line between sections."""
    made = QFrame()
    made.setFrameShape(QFrame.Shape.HLine)
    made.setFixedHeight(1)
    made.setStyleSheet("QFrame { border: 0; background: palette(mid); }")
    return made


def column(parent: QWidget, *, margin: int = theme.SPACE) -> QVBoxLayout:
    """A column of widgets that fills its parent."""
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(theme.SPACE)
    return layout


def elided(painter: QPainter, text: str, width: int, mode: Qt.TextElideMode) -> str:
    """The text as it fits into a width with the painter's font."""
    return QFontMetrics(painter.font()).elidedText(text, mode, max(width, 0))


class Line(QLabel):
    """A line of text that ends in dots where there is no room for all of it; a tool tip has the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:  # noqa: N802
        super().setText(text)
        self.setToolTip(text)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        with QPainter(self) as painter:
            room = self.contentsRect()
            text = elided(painter, self.text(), room.width(), Qt.TextElideMode.ElideRight)
            painter.drawText(room, self.alignment(), text)


class EmptyHint(QLabel):
    """A sentence over a list that has no rows; it follows the list's size."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view.viewport())
        self._view = view
        self.setProperty("role", "muted")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        view.viewport().installEventFilter(self)
        self.hide()

    def say(self, sentence: str) -> None:
        """Show a sentence; an empty one hides this."""
        self.setText(sentence)
        self.setVisible(bool(sentence))
        self._fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Resize:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        room = self._view.viewport().rect()
        inside = room.adjusted(2 * theme.WIDE, theme.WIDE, -2 * theme.WIDE, -theme.WIDE)
        fits = self.heightForWidth(inside.width()) <= inside.height()
        # In a low list its first lines are read, rather than the middle of it.
        across = Qt.AlignmentFlag.AlignHCenter
        self.setAlignment(across | (Qt.AlignmentFlag.AlignVCenter if fits else Qt.AlignmentFlag.AlignTop))
        self.setGeometry(inside if fits else room)
