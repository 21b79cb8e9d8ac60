"""Classes: add, rename, recolour, merge, delete, sets of them. Each is one step that can be undone.

All act on the class that is chosen in the panel. The work is done on a thread; then classes and the shown
document follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from engine.document.records import ClassDef
from engine.project import Project
from engine.project.presets import read_preset, write_preset
from gui.commands.registry import Context, command, nothing, translated
from gui.dialogs.classes import (
    ask_color,
    ask_delete,
    ask_merge,
    ask_name,
    ask_new_name,
    ask_preset_to_load,
    ask_preset_to_save,
)
from gui.dialogs.statistics import StatisticsDialog

T = TypeVar("T")
_MENU = ("Classes",)


def _can_change(context: Context) -> bool:
    return context.desk.project is not None and not context.desk.read_only_reason


def _has_class(context: Context) -> bool:
    return _can_change(context) and context.editor.class_id is not None


def _has_several(context: Context) -> bool:
    return _can_change(context) and len(context.editor.classes) > 1


@command(
    "classes.add", "&Add a class…", menu=_MENU, section="change", shortcuts=("Ctrl+Shift+N",),
    when=_can_change, ask=ask_new_name, icon="plus",
)  # fmt: skip
def add(context: Context, name: str) -> None:
    """Make a class with a colour of its own and choose it."""
    _change(context, lambda project: project.add_classes([ClassDef(0, name, "")]), _first)


@command(
    "classes.rename", "&Rename the class…", menu=_MENU, section="change", when=_has_class, ask=ask_name,
    icon="edit",
)  # fmt: skip
def rename(context: Context, class_id: int, name: str) -> None:
    """Give a class another name."""
    _change(context, lambda project: project.rename_class(class_id, name))


@command(
    "classes.recolor", "Change its &colour…", menu=_MENU, section="change", when=_has_class, ask=ask_color,
    icon="palette",
)  # fmt: skip
def recolor(context: Context, class_id: int, color: str) -> None:
    """Give a class another colour."""
    _change(context, lambda project: project.recolor_class(class_id, color))


@command(
    "classes.merge", "&Merge classes…", menu=_MENU, section="change", when=_has_several, ask=ask_merge,
    icon="merge", hint="Their instances become instances of one class, on every image",
)  # fmt: skip
def merge(context: Context, class_ids: Sequence[int], into: int) -> None:
    """Make the instances of some classes instances of another."""
    _change(context, lambda project: project.merge_classes(class_ids, into), lambda _none: into)


@command(
    "classes.delete", "&Delete the class…", menu=_MENU, section="change", when=_has_class, ask=ask_delete,
    icon="trash", hint="With all its instances, on every image",
)  # fmt: skip
def delete(context: Context, class_id: int) -> None:
    """Delete a class and its instances."""
    _change(context, lambda project: project.delete_classes([class_id]))


@command("classes.up", "Move the class &up", menu=_MENU, section="order", when=_has_several, icon="up")
def up(context: Context) -> None:
    """Move the chosen class to an earlier number."""
    _move(context, -1)


@command("classes.down", "Move the class do&wn", menu=_MENU, section="order", when=_has_several, icon="down")
def down(context: Context) -> None:
    """Move the chosen class to a later number."""
    _move(context, 1)


@command(
    "classes.undo", "&Undo the last change of classes", menu=_MENU, section="undo", when=_can_change,
    icon="undo",
)  # fmt: skip
def undo(context: Context) -> None:
    """Take back the last change of classes, of this session or an earlier one."""
    _change(context, lambda project: project.undo_classes(), told=_told_undone)


@command(
    "classes.redo", "Red&o the change of classes", menu=_MENU, section="undo", when=_can_change, icon="redo"
)
def redo(context: Context) -> None:
    """Repeat the change of classes that was undone last."""
    _change(context, lambda project: project.redo_classes(), told=_told_redone)


@command(
    "classes.load", "&Load a set of classes…", menu=_MENU, section="sets", when=_can_change,
    ask=ask_preset_to_load, icon="import",
    hint="Classes of the same name stay as they are",
)  # fmt: skip
def load(context: Context, path: Path) -> None:
    """Add the classes of a file that are not there yet."""

    def told(made: tuple[ClassDef, ...]) -> str:
        return translated("Classes added from {}: {}").format(path.name, len(made))

    _change(context, lambda project: project.add_classes(read_preset(path)), _first, told)


@command(
    "classes.save", "&Save as a set of classes…", menu=_MENU, section="sets",
    when=lambda context: bool(context.editor.classes), ask=ask_preset_to_save, icon="export",
    hint="A small file to load in other projects",
)  # fmt: skip
def save(context: Context, path: Path) -> None:
    """Write the classes to a file."""
    classes, desk = context.editor.classes, context.desk
    told = translated("Classes written to {}: {}").format(path, len(classes))
    desk.background.run(
        lambda: write_preset(path, classes), lambda _none: desk.noticed.emit(told), desk.failed.emit
    )


command(
    "classes.statistics", "S&tatistics…", menu=_MENU, section="statistics",
    when=lambda context: context.desk.project is not None, ask=StatisticsDialog.open_one, icon="statistics",
    hint="Images by state, instances by class and size",
)(nothing)  # fmt: skip


def _move(context: Context, by: int) -> None:
    ids = [one.id for one in context.editor.classes]
    place = ids.index(context.editor.class_id) if context.editor.class_id in ids else -1
    to = place + by
    if place >= 0 and 0 <= to < len(ids):
        ids[place], ids[to] = ids[to], ids[place]
        _change(context, lambda project: project.order_classes(ids))


def _first(made: Sequence[ClassDef]) -> int | None:
    return made[0].id if made else None


def _told_undone(name: str) -> str:
    if not name:
        return translated("There is no change of classes to undo.")
    return translated("Undone: {}").format(name)


def _told_redone(name: str) -> str:
    if not name:
        return translated("There is no change of classes to redo.")
    return translated("Redone: {}").format(name)


def _change(
    context: Context,
    work: Callable[[Project], T],
    choose: Callable[[T], int | None] = lambda _answer: None,
    told: Callable[[T], str] | None = None,
) -> None:
    """Do it on a thread; then the editor's classes and the shown document follow.

    choose: which class is to be the chosen one then. told: what to say of it.
    """
    editor, desk = context.editor, context.desk
    project = desk.project
    if project is None:
        return
    desk.saving.flush_put_off()

    def do() -> tuple[T, tuple[ClassDef, ...]]:
        answer = work(project)
        return answer, project.classes()

    def follow(done: tuple[T, tuple[ClassDef, ...]]) -> None:
        if desk.project is not project:
            return
        answer, classes = done
        editor.set_classes(classes)
        wanted = choose(answer)
        if wanted is not None:
            editor.set_class(wanted)
        desk.saving.resync()
        if told is not None:
            desk.noticed.emit(told(answer))

    desk.background.run(do, follow, desk.failed.emit)
