"""Lines over the picture for what must not be missed: edits not saved, read-only, a picture that changed.

And labels that lie beside the pictures, until they are imported or let be.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from gui.counts import counted
from gui.desk import Desk
from gui.exchange import Exchange
from gui.saving import Kept
from gui.theme import SPACE, colors, theme

_NOTE_MS = 9000


class Notices(QWidget):
    """Stays while it is true; a passing note goes by itself or is sent away."""

    def __init__(
        self,
        desk: Desk,
        save_again: QAction,
        accept_content: QAction,
        exchange: Exchange | None = None,
        import_beside: QAction | None = None,
    ) -> None:
        super().__init__()
        self._desk = desk
        self._exchange = exchange
        self._offer = _Line()
        self._offer.hide()
        if exchange is not None and import_beside is not None:
            self._offer.button.setDefaultAction(import_beside)
            self._offer.let_dismiss(self.tr("Dismiss"), exchange.let_be)
            exchange.changed.connect(self._refresh_offer)
        self._lasting = _Line()
        self._lasting.button.setDefaultAction(save_again)
        self._content = _Line()
        self._content.button.setDefaultAction(accept_content)
        self._note = _Line()
        self._note.button.setText("✕")
        self._note.button.setAccessibleName(self.tr("Dismiss"))
        self._note.button.clicked.connect(self._note.hide)
        self._timer = QTimer(self, interval=_NOTE_MS, singleShot=True)
        self._timer.timeout.connect(self._note.hide)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._lasting)
        layout.addWidget(self._content)
        layout.addWidget(self._offer)
        layout.addWidget(self._note)
        self._note.hide()
        desk.saving.changed.connect(self._refresh)
        desk.project_changed.connect(self._refresh)
        desk.content_checked.connect(self._refresh)
        theme().changed.connect(self._refresh)
        theme().changed.connect(self._refresh_offer)
        self._refresh()

    @property
    def lasting(self) -> str:
        """The sentence that stays; empty where there is none."""
        return self._lasting.label.text() if not self._lasting.isHidden() else ""

    @property
    def content(self) -> str:
        """The sentence on a picture that changed under its instances; empty where it did not."""
        return self._content.label.text() if not self._content.isHidden() else ""

    @property
    def note(self) -> str:
        """The passing note; empty where there is none."""
        return self._note.label.text() if not self._note.isHidden() else ""

    @property
    def offer(self) -> str:
        """The sentence on labels beside the pictures; empty where none are offered."""
        return self._offer.label.text() if not self._offer.isHidden() else ""

    def tell(self, sentence: str) -> None:
        """Show a note for a while."""
        if sentence and sentence != self.lasting:
            self._note.say(sentence, colors().raised, colors().text)
            self._timer.start()

    @Slot()
    def _refresh_offer(self) -> None:
        title = self._exchange.offer if self._exchange is not None else ""
        if title:
            text = self.tr("Labels of {} lie beside these pictures.").format(title)
            self._offer.say(text, colors().raised, colors().text)
        else:
            self._offer.hide()

    @Slot()
    def _refresh(self) -> None:
        state, now = self._desk.saving.state, colors()
        self._lasting.button.setVisible(state.kept is Kept.FAILED)
        if state.kept is Kept.FAILED:
            kept = counted(state.waiting, self.tr("Your edit is"), self.tr("Your {} edits are"))
            text = self.tr("Not saved. {problem} {kept} kept here and tried again by itself.")
            self._lasting.say(text.format(problem=state.problem, kept=kept), now.danger, now.window)
        elif self._desk.read_only_reason:
            text = self.tr("{} You can look, but nothing is changed.")
            self._lasting.say(text.format(self._desk.read_only_reason), now.warning, now.window)
        else:
            self._lasting.hide()
        if self._desk.is_other_content:
            text = self.tr(
                "The picture's file has changed since its instances were made: do they still fit it?"
            )
            self._content.say(text, now.warning, now.window)
        else:
            self._content.hide()


class _Line(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)  # else only the label has its colour
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.button = QToolButton()
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE // 2, SPACE, SPACE // 2)
        layout.setSpacing(SPACE)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.button)
        self._layout = layout

    def let_dismiss(self, name: str, call: Callable[[], None]) -> None:
        """Give the line a second button, which sends it away."""
        away = QToolButton()
        away.setText("✕")
        away.setAccessibleName(name)
        away.clicked.connect(call)
        self._layout.addWidget(away)

    def say(self, sentence: str, background: str, text: str) -> None:
        """Show a sentence in these colours."""
        self.label.setText(sentence)
        self.setStyleSheet(f"background: {background}; color: {text}")
        self.show()
