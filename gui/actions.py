"""Commands as Qt's actions: one each, with the person's keys, enabled and checked as things stand."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QMenuBar, QWidget

from gui.commands.keys import shortcuts_of
from gui.commands.registry import COMMANDS, Command, Context, in_menu_order, translated
from gui.theme import icon


class Actions(QObject):
    """All commands' actions, on a window."""

    def __init__(self, window: QMainWindow, canvas: QWidget, context: Context) -> None:
        super().__init__(window)
        self._window, self._canvas = window, canvas
        self._context = context
        self._actions: dict[str, QAction] = {}
        self._menus: dict[tuple[str, ...], QMenu] = {}
        for one in COMMANDS.values():
            self._make(one)
        self._soon = QTimer(self, interval=0, singleShot=True)
        self._soon.timeout.connect(self.refresh)
        self._follow()
        context.settings.changed.connect(self._take_keys)
        self._take_keys()
        self.refresh()

    def __getitem__(self, id_: str) -> QAction:
        return self._actions[id_]

    def __contains__(self, id_: str) -> bool:
        return id_ in self._actions

    def menu(self, *path: str) -> QMenu:
        """A menu that `fill` made."""
        return self._menus[path]

    def _make(self, one: Command) -> None:
        action = QAction(translated(one.title), self._window)
        action.setObjectName(one.id)
        action.setCheckable(one.checked is not None)
        action.setAutoRepeat(one.repeats)
        action.setMenuRole(QAction.MenuRole.NoRole)
        if one.icon:
            action.setIcon(icon(one.icon))
        action.triggered.connect(lambda: self._start(one))
        if one.on_canvas:
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            self._canvas.addAction(action)
        else:
            self._window.addAction(action)
        self._actions[one.id] = action

    def _start(self, one: Command) -> None:
        one.start(self._window, self._context)
        self._soon.start()

    def _follow(self) -> None:
        context = self._context
        editor, desk = context.editor, context.desk
        for signal in (
            editor.image_changed,
            editor.edited,
            editor.selection_changed,
            editor.tool_changed,
            editor.preview_changed,
            editor.sight_changed,
            editor.classes_changed,
            desk.project_changed,
            desk.media_changed,
            desk.current_changed,
            desk.content_checked,
            desk.saving.changed,
            desk.saving.past_changed,
            context.proposals.changed,
            context.jobs.changed,
            context.models.changed,
            context.tuning.changed,
            context.settings.changed,
        ):
            signal.connect(self._later)
        if context.frames is not None:
            context.frames.clip_changed.connect(self._later)
            context.frames.playing_changed.connect(self._later)
        if context.live is not None:
            context.live.changed.connect(self._later)
        if context.exchange is not None:
            context.exchange.changed.connect(self._later)
        if context.review is not None:
            context.review.progressed.connect(self._later)
        if context.disputes is not None:
            context.disputes.changed.connect(self._later)

    @Slot()
    def _later(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    @Slot()
    def refresh(self) -> None:
        """Enable and check every action as things stand now."""
        for id_, action in self._actions.items():
            one = COMMANDS[id_]
            action.setEnabled(one.when(self._context))
            if one.checked is not None:
                action.setChecked(one.checked(self._context))

    @Slot()
    def _take_keys(self) -> None:
        native = QKeySequence.SequenceFormat.NativeText
        for id_, action in self._actions.items():
            one = COMMANDS[id_]
            keys = [QKeySequence(each) for each in shortcuts_of(one, self._context.settings)]
            action.setShortcuts(keys)
            hint = translated(one.hint)
            name = one.plain_title + (f" ({keys[0].toString(native)})" if keys else "")
            action.setToolTip(f"{name}\n{hint}" if hint else name)
            action.setStatusTip(hint)

    def fill(self, bar: QMenuBar, recent: QMenu) -> None:
        """Build the menus; the recent folders stand after the first section of File."""
        menus = self._menus
        sections: dict[tuple[str, ...], str] = {}
        for one in in_menu_order(COMMANDS.values()):
            if not one.menu:
                continue
            if one.menu[:1] not in menus:
                menus[one.menu[:1]] = bar.addMenu(translated(one.menu[0]))
            menu = menus.get(one.menu)
            if menu is None:
                menu = menus[one.menu] = menus[one.menu[:1]].addMenu(translated(one.menu[-1]))
            if sections.setdefault(one.menu, one.section) != one.section:
                sections[one.menu] = one.section
                menu.addSeparator()
            menu.addAction(self._actions[one.id])
            if one.id == "file.sample":
                menu.addMenu(recent)
