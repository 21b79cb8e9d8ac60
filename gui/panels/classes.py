"""The classes: which is used for what is drawn next, which are seen, how often each is used.

Choosing, hiding and showing happen here; whatever changes the project is a command: `asked` names it, and it
acts on the class that is chosen here.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    QStringListModel,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QWidget,
)

from engine.document.records import ClassDef
from engine.project.classes import ClassPast
from engine.project.facts import Use
from gui import counts, theme
from gui.counts import counted
from gui.desk import Desk
from gui.editor import Editor
from gui.panels.parts import EmptyHint, bar, button, column, elided, label
from gui.panels.surveyor import Surveyor

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 30
NUMBERED = 9
_EYE = 20
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


class ClassModel(QStringListModel):
    """The classes in their order, with how often each is used."""

    def __init__(self, editor: Editor, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.editor = editor
        self.classes: tuple[ClassDef, ...] = ()
        self.uses: dict[int, Use] = {}

    def take(self, classes: tuple[ClassDef, ...]) -> None:
        """List these."""
        self.classes = classes
        names = [one.name for one in classes]
        if names != self.stringList():
            self.setStringList(names)
        self.touch()

    def touch(self) -> None:
        """Counts, colours or visibility are others."""
        if self.classes:
            self.dataChanged.emit(self.index(0), self.index(len(self.classes) - 1))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole) and index.isValid():
            return self.told(index.row())
        return super().data(index, role)

    def is_hidden(self, row: int) -> bool:
        """Whether the instances of a row's class are hidden."""
        return self.classes[row].id in self.editor.sight.hidden_classes

    def told(self, row: int) -> str:
        """All that a row shows, in words."""
        use = self.uses.get(self.classes[row].id, Use())
        instances = counts.instances(use.instances)
        images = counts.images(use.images)
        words = self.tr("{}: {} on {}").format(self.classes[row].name, instances, images)
        if row < NUMBERED:
            words += "\n" + self.tr("Press {} to choose it").format(row + 1)
        if self.is_hidden(row):
            words += "\n" + self.tr("Hidden")
        return words


class ClassDelegate(QStyledItemDelegate):
    """A row: number, colour, name, count, and an eye to click."""

    clicked_eye = Signal(int)  # row

    def __init__(self, model: ClassModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:  # noqa: N802
        return QSize(180, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        now, row = theme.colors(), index.row()
        one, rect = self._model.classes[row], option.rect
        hidden = self._model.is_hidden(row)
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(now.selection))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(now.window))
        x = rect.left() + theme.SPACE
        if row < NUMBERED:
            _paint_number(painter, QRect(x, rect.center().y() - 8, 16, 17), row + 1)
        x += 16 + theme.SPACE
        painter.setOpacity(0.4 if hidden else 1.0)
        theme.paint_swatch(painter, QRectF(x, rect.center().y() - 6, 13, 13), one.color)
        painter.setOpacity(1.0)
        x += 13 + theme.SPACE
        eye = _eye(rect)
        drawn = theme.icon_pixmap(
            "eye-off" if hidden else "eye",
            now.muted if hidden or option.state & QStyle.StateFlag.State_MouseOver else now.disabled,
            16,
            painter.device().devicePixelRatio(),
        )
        painter.drawPixmap(eye.left() + 2, eye.top() + 2, drawn)
        use = self._model.uses.get(one.id)
        count = f"{use.instances:,}" if use else "0"
        room = QRect(0, rect.top(), painter.fontMetrics().horizontalAdvance(count), rect.height())
        room.moveRight(eye.left() - theme.SPACE)
        painter.setPen(QColor(now.muted if use else now.disabled))
        painter.drawText(room, _MIDDLE | Qt.AlignmentFlag.AlignRight, count)
        name = QRect(x, rect.top(), room.left() - theme.SPACE - x, rect.height())
        painter.setPen(QColor(now.disabled if hidden else now.text))
        text = elided(painter, one.name, name.width(), Qt.TextElideMode.ElideRight)
        painter.drawText(name, _MIDDLE | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()

    def editorEvent(  # noqa: N802
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        if (
            isinstance(event, QMouseEvent)
            and event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)
            and _eye(option.rect).contains(event.position().toPoint())
        ):
            self.clicked_eye.emit(index.row())
            return True
        return super().editorEvent(event, model, option, index)


def _eye(row: QRect) -> QRect:
    return QRect(row.right() - theme.SPACE - _EYE + 1, row.center().y() - _EYE // 2 + 1, _EYE, _EYE)


def _paint_number(painter: QPainter, rect: QRect, number: int) -> None:
    now = theme.colors()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(now.line))
    painter.setBrush(QColor(now.window))
    painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
    font = painter.font()
    font.setPointSizeF(font.pointSizeF() * 0.8)
    painter.setFont(font)
    painter.setPen(QColor(now.muted))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, str(number))
    painter.restore()


class Classes(QWidget):
    """The panel."""

    asked = Signal(str)  # a command's id

    def __init__(self, editor: Editor, desk: Desk, surveyor: Surveyor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor, self._desk, self._surveyor = editor, desk, surveyor
        self._is_following = False
        self.past = ClassPast()
        self.model = ClassModel(editor, self)
        self.add = self._command("plus", self.tr("Add a class"), "classes.add")
        self.rename = self._command("edit", self.tr("Rename the class"), "classes.rename")
        self.recolor = self._command("palette", self.tr("Give the class another colour"), "classes.recolor")
        self.merge = self._command("merge", self.tr("Merge classes"), "classes.merge")
        self.delete = self._command("trash", self.tr("Delete the class"), "classes.delete")
        self.undo = self._command("undo", self.tr("Undo the last change of classes"), "classes.undo")
        self.more = button("more", self.tr("More about classes"))
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setMenu(self._make_menu())
        self.view = QListView()
        self._make_view()
        self.empty = EmptyHint(self.view)
        self.summary = label(role="muted")
        layout = column(self, margin=0)
        layout.setSpacing(0)
        top = column(head := QWidget(), margin=theme.TIGHT)
        top.addLayout(
            bar(self.add, self.rename, self.recolor, self.merge, self.delete, None, self.undo, self.more)
        )
        layout.addWidget(head)
        layout.addWidget(self.view, 1)
        bottom = column(foot := QWidget())
        bottom.addWidget(self.summary)
        layout.addWidget(foot)
        editor.classes_changed.connect(self.refresh)
        editor.sight_changed.connect(self.model.touch)
        desk.project_changed.connect(self.refresh)
        surveyor.counted.connect(self._on_counted)
        self.refresh()
        self._on_counted()

    def _command(self, icon: str, title: str, command: str) -> QToolButton:
        made = button(icon, title)
        made.clicked.connect(lambda: self.asked.emit(command))
        return made

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        for title, command in (
            (self.tr("Redo the change of classes"), "classes.redo"),
            (self.tr("Move up"), "classes.up"),
            (self.tr("Move down"), "classes.down"),
            (self.tr("Load a set of classes…"), "classes.load"),
            (self.tr("Save as a set of classes…"), "classes.save"),
        ):
            menu.addAction(title).triggered.connect(lambda _on=False, id_=command: self.asked.emit(id_))
        menu.addSeparator()
        menu.addAction(self.tr("Show only the chosen class")).triggered.connect(self._show_only)
        menu.addAction(self.tr("Show all classes")).triggered.connect(self._show_all)
        return menu

    def _make_view(self) -> None:
        delegate = ClassDelegate(self.model, self.view)
        delegate.clicked_eye.connect(self.toggle)
        self.view.setModel(self.model)
        self.view.setItemDelegate(delegate)
        self.view.setUniformItemSizes(True)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setMouseTracking(True)
        self.view.setAccessibleName(self.tr("Classes"))
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._show_menu)
        self.view.doubleClicked.connect(lambda _index: self.asked.emit("classes.rename"))
        self.view.selectionModel().currentChanged.connect(self._on_chosen)
        self.view.installEventFilter(self)

    # What is shown

    @Slot()
    def refresh(self) -> None:
        """List what the editor has now."""
        self._is_following = True
        self.model.take(self._editor.classes)
        ids = [one.id for one in self._editor.classes]
        if self._editor.class_id in ids:
            index = self.model.index(ids.index(self._editor.class_id))
            if self.view.currentIndex() != index or not self.view.selectionModel().isSelected(index):
                self.view.setCurrentIndex(index)
        self._is_following = False
        self._ask_past()
        self._tell()

    @Slot()
    def _on_counted(self) -> None:
        self.model.uses = {
            one.class_id: Use(one.settled + one.proposed, one.images)
            for one in self._surveyor.statistics.classes
        }
        self.model.touch()

    def _ask_past(self) -> None:
        project = self._desk.project

        def take(past: ClassPast) -> None:
            if self._desk.project is project:
                self.past = past
                self._tell()

        if project is None:
            self.past = ClassPast()
        else:
            self._desk.background.run(project.class_past, take)

    def _tell(self) -> None:
        opened = self._desk.project is not None
        may = opened and not self._editor.is_read_only
        some = bool(self._editor.classes)
        self.add.setEnabled(may)
        for one in (self.rename, self.recolor, self.delete):
            one.setEnabled(may and some)
        self.merge.setEnabled(may and len(self._editor.classes) > 1)
        self.undo.setEnabled(may and bool(self.past.undo))
        told = self.tr("Undo the last change of classes")
        self.undo.setToolTip(f"{told}\n{self.past.undo}" if self.past.undo else told)
        count = len(self._editor.classes)
        self.summary.setText(counted(count, self.tr("1 class"), self.tr("{} classes")) if count else "")
        if count:
            self.empty.say("")
        elif opened:
            self.empty.say(self.tr("No classes yet: add one, load a set, or let a model bring its own."))
        else:
            self.empty.say(self.tr("The classes of a project are listed here."))

    # What a person does

    @Slot(QModelIndex, QModelIndex)
    def _on_chosen(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid() and not self._is_following:
            self._editor.set_class(self.model.classes[index.row()].id)

    @Slot(int)
    def toggle(self, row: int) -> None:
        """Hide the instances of a row's class, or show them again."""
        hidden = self._editor.sight.hidden_classes ^ {self.model.classes[row].id}
        self._editor.see(replace(self._editor.sight, hidden_classes=hidden))

    @Slot()
    def _show_only(self) -> None:
        others = frozenset(one.id for one in self._editor.classes if one.id != self._editor.class_id)
        self._editor.see(replace(self._editor.sight, hidden_classes=others))

    @Slot()
    def _show_all(self) -> None:
        self._editor.see(replace(self._editor.sight, hidden_classes=frozenset()))

    @Slot(QPoint)
    def _show_menu(self, at: QPoint) -> None:
        if self.view.indexAt(at).isValid():
            menu = QMenu(self)
            for one, command in (
                (self.rename, "classes.rename"),
                (self.recolor, "classes.recolor"),
                (self.merge, "classes.merge"),
                (self.delete, "classes.delete"),
            ):
                action = menu.addAction(one.icon(), f"{one.accessibleName()}…")
                action.setEnabled(one.isEnabled())
                action.triggered.connect(lambda _on=False, id_=command: self.asked.emit(id_))
            menu.addSeparator()
            menu.addAction(self.tr("Show only this class")).triggered.connect(self._show_only)
            menu.addAction(self.tr("Show all classes")).triggered.connect(self._show_all)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.view.viewport().mapToGlobal(at))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is self.view and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            row = self.view.currentIndex().row()
            match event.key():
                case Qt.Key.Key_Space if row >= 0:
                    self.toggle(row)
                    return True
                case Qt.Key.Key_F2 if self.rename.isEnabled():
                    self.asked.emit("classes.rename")
                    return True
                case Qt.Key.Key_Delete if self.delete.isEnabled():
                    self.asked.emit("classes.delete")
                    return True
        return super().eventFilter(watched, event)
