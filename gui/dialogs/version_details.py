"""What is known of one model version, or differs between two, and the buttons for what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QScrollArea, QWidget

from engine.models.store import ModelState
from gui.models import Models
from gui.panels.parts import bar, column, label
from gui.version_words import differences, facts
from gui.versions import Versions

if TYPE_CHECKING:
    from engine.tuning.versions import Compared, VersionInfo


class VersionDetails(QWidget):
    """One: name and notes can be changed where it is the person's own. Two: measured on the same images."""

    wants_file = Signal(str)  # where shall this one be copied to?
    wants_deletion = Signal(str)  # shall this one go?
    wants_verdict = Signal(str)  # show what its gate found

    def __init__(self, versions: Versions, models: Models) -> None:
        super().__init__()
        self._versions, self._models = versions, models
        self._shown: tuple[VersionInfo, ...] = ()
        self._is_busy = False
        self.name, self.notes = QLineEdit(), QLineEdit()
        self.name.setAccessibleName(self.tr("Name"))
        self.name.setToolTip(self.tr("Return renames it, also where versions made from it name it"))
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        self.notes.setAccessibleName(self.tr("Notes"))
        self.notes.setPlaceholderText(self.tr("Notes, for yourself"))
        self.title = label("", "heading")
        self.facts = QLabel()
        self.facts.setTextFormat(Qt.TextFormat.RichText)
        self.facts.setWordWrap(True)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.use = self._button(self.tr("Use this model"), self._use)
        self.use.setProperty("primary", True)
        self.compare = self._button("", self._compare)
        self.verdict = self._button(self.tr("Its comparison"), lambda: self.wants_verdict.emit(self._name))
        self.verdict.setToolTip(self.tr("What the gate found when it was made"))
        self.export = self._button(self.tr("Export…"), lambda: self.wants_file.emit(self._name))
        self.delete = self._button(self.tr("Delete…"), lambda: self.wants_deletion.emit(self._name))
        self.name.returnPressed.connect(self._rename)
        self.notes.editingFinished.connect(self.keep)
        scroll = QScrollArea()
        scroll.setWidget(self.facts)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        layout = column(self, margin=0)
        for widget in (self.title, self.name, self.notes):
            layout.addWidget(widget)
        layout.addWidget(scroll, 1)
        layout.addLayout(bar(self.use, self.compare, None))
        layout.addLayout(bar(self.verdict, self.export, self.delete, None))
        self.show_versions(())

    def _button(self, text: str, run: object) -> QPushButton:
        made = QPushButton(text)
        made.setAutoDefault(False)  # Return in the name is to rename
        made.clicked.connect(run)
        return made

    @property
    def _name(self) -> str:
        return self._shown[0].name if self._shown else ""

    def show_versions(self, shown: Sequence[VersionInfo]) -> None:
        """Show one, or two side by side; none or more for a word on what to do."""
        before, self._shown = self._name, tuple(shown)
        one = self._shown[0] if len(self._shown) == 1 else None
        for widget in (self.name, self.notes, self.use, self.verdict, self.export, self.delete):
            widget.setVisible(one is not None)
        self.title.setVisible(one is None)
        if one is not None:
            self._show_one(one, is_other=one.name != before)
        elif len(self._shown) == 2:
            self._show_two(*sorted(self._shown, key=lambda one: one.created))
        else:
            self.title.setText(self.tr("Mark one version, or two to compare them"))
            self.facts.clear()
        self._show_compare()

    def _show_one(self, one: VersionInfo, *, is_other: bool) -> None:
        is_own, is_here = one.state is ModelState.INSTALLED, not one.problem
        if is_other or not self.name.hasFocus():
            self.name.setText(one.name)
        if is_other or not self.notes.hasFocus():
            self.notes.setText(one.notes)
        self.name.setReadOnly(not is_own)
        self.notes.setVisible(is_own)
        self.facts.setText(facts(one))
        is_used = one.name == self._versions.in_use
        self.use.setEnabled(is_here and not is_used)
        self.use.setText(self.tr("In use") if is_used else self.tr("Use this model"))
        self.verdict.setVisible(one.verdict is not None and one.verdict.new is not None)
        self.export.setEnabled(is_here)
        self.delete.setEnabled(one.state is not ModelState.BUNDLED and not is_used)
        self.delete.setToolTip(self.tr("It is in use: use another one first") if is_used else "")

    def _show_two(self, first: VersionInfo, second: VersionInfo) -> None:
        self.title.setText(self.tr("{} and {}").format(first.name, second.name))
        self.facts.setText(self.tr("Reading…"))
        names = (first.name, second.name)

        def show(found: Compared) -> None:
            if {one.name for one in self._shown} == set(names):
                self.facts.setText(differences(found))

        self._versions.differences(*names, show)

    def _pair(self) -> tuple[str, str] | None:
        """The two to measure, the older first: those marked, or the one marked against the one in use."""
        shown, in_use = self._shown, self._versions.named(self._versions.in_use)
        if len(shown) == 1 and in_use is not None and shown[0].name != in_use.name:
            shown = (*shown, in_use)
        if len(shown) != 2 or any(one.problem for one in shown):
            return None
        first, second = sorted(shown, key=lambda one: one.created)
        return first.name, second.name

    def _show_compare(self) -> None:
        pair = self._pair()
        self.compare.setVisible(pair is not None)
        self.compare.setEnabled(not self._is_busy)
        self.compare.setToolTip(self.tr("Both are run on the images that the project holds out"))
        two = len(self._shown) == 2
        self.compare.setText(self.tr("Measure both") if two else self.tr("Measure against the one in use"))

    def set_busy(self, on: bool) -> None:
        """One comparison at a time."""
        self._is_busy = on
        self._show_compare()

    @Slot()
    def _use(self) -> None:
        self._versions.activate(self._name)

    @Slot()
    def _compare(self) -> None:
        pair = self._pair()
        if pair is not None:
            self._versions.compare(*pair)

    @Slot()
    def _rename(self) -> None:
        self.name.clearFocus()
        if len(self._shown) == 1 and self.name.text().strip():
            self._versions.rename(self._name, self.name.text().strip())

    @Slot()
    def keep(self) -> None:
        """Keep the notes as they are written."""
        if len(self._shown) == 1 and self._shown[0].state is ModelState.INSTALLED:
            self._versions.annotate(self._name, self.notes.text().strip())
