"""What is selected, and what is copied: from here to there, from this image to that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.document.document import Document
from engine.document.records import Instance, Provenance, new_id
from gui import geometry
from gui.commands.image import can_edit
from gui.commands.registry import Context, command, translated

_MENU = ("Edit",)

_OFFSET = 12
"""Image pixels by which a copy stands beside what it was copied from."""


def has_instances(context: Context) -> bool:
    """Whether an instance is visible."""
    return bool(context.editor.visible)


def has_selection(context: Context) -> bool:
    """Whether an instance is selected."""
    return bool(context.editor.selection)


def can_change(context: Context) -> bool:
    """Whether an instance is selected that may be changed."""
    return can_edit(context) and has_selection(context)


# Selecting


@command(
    "selection.all", "Select &all", menu=_MENU, section="select", shortcuts=("Ctrl+A",), when=has_instances
)
def select_all(context: Context) -> None:
    """Select every visible instance."""
    context.editor.select(one.id for one in context.editor.visible)


@command("selection.none", "Select &nothing", menu=_MENU, section="select", when=has_selection)
def select_none(context: Context) -> None:
    """Select no instance."""
    context.editor.select(())


@command(
    "selection.invert", "&Invert the selection", menu=_MENU, section="select", shortcuts=("Ctrl+I",),
    when=has_instances,
)  # fmt: skip
def invert(context: Context) -> None:
    """Select the visible instances that are not selected."""
    selected = set(context.editor.selection)
    context.editor.select(one.id for one in context.editor.visible if one.id not in selected)


@command(
    "selection.same_class", "Select all of the same &class", menu=_MENU, section="select", when=has_selection
)
def select_same_class(context: Context) -> None:
    """Select every visible instance of a class that a selected one has."""
    classes = {one.class_id for one in context.editor.selected}
    context.editor.select(one.id for one in context.editor.visible if one.class_id in classes)


@command(
    "selection.next", "&Next instance", menu=_MENU, section="select", shortcuts=("Tab",), when=has_instances,
    repeats=True, on_canvas=True,
)  # fmt: skip
def next_(context: Context) -> None:
    """Select the visible instance after the selected one, from the top of the image to its bottom."""
    _cycle(context, 1)


@command(
    "selection.previous", "&Previous instance", menu=_MENU, section="select", shortcuts=("Shift+Tab",),
    when=has_instances, repeats=True, on_canvas=True,
)  # fmt: skip
def previous(context: Context) -> None:
    """Select the visible instance before the selected one."""
    _cycle(context, -1)


def _cycle(context: Context, by: int) -> None:
    editor = context.editor
    instances = editor.visible
    bounds = geometry.bounds_of(instances=instances)
    order = sorted(range(len(instances)), key=lambda place: (bounds[place, 1], bounds[place, 0], place))
    ids = [instances[place].id for place in order]
    if not ids:
        return
    last = editor.selection[-1] if editor.selection else None
    start = ids.index(last) if last in ids else (-1 if by > 0 else 0)
    found = (start + by) % len(ids)
    editor.select((ids[found],))
    _bring_into_view(context, instances[order[found]])


def _bring_into_view(context: Context, instance: Instance) -> None:
    """Move the picture where the instance's middle lies outside the view."""
    x0, y0, x1, y1 = instance.bounds_xyxy
    camera = context.editor.camera
    x, y = camera.to_view((x0 + x1) / 2, (y0 + y1) / 2)
    wide, high = context.viewport.width(), context.viewport.height()
    if not (0 <= x < wide and 0 <= y < high):
        context.editor.set_camera(camera.moved(wide / 2 - x, high / 2 - y))


# Copying


@command(
    "selection.copy",
    "&Copy",
    menu=_MENU,
    section="copy",
    shortcuts=("Ctrl+C",),
    when=has_selection,
    icon="copy",
)
def copy(context: Context) -> None:
    """Remember the selected instances, to be pasted here or on another image."""
    context.clipboard.instances = _in_order(context)


@command("selection.cut", "Cu&t", menu=_MENU, section="copy", shortcuts=("Ctrl+X",), when=can_change)
def cut(context: Context) -> None:
    """Copy the selected instances and remove them."""
    editor = context.editor
    chosen = _in_order(context)
    if editor.document is None or not chosen or not editor.allows_edits():
        return
    context.clipboard.instances = chosen
    with editor.edit(translated("Cut")):
        for one in chosen:
            editor.document.remove(one.id)


@command(
    "selection.paste", "&Paste", menu=_MENU, section="copy", shortcuts=("Ctrl+V",),
    when=lambda context: can_edit(context) and bool(context.clipboard.instances), icon="paste",
    hint="At the same place; beside it where the very same is there already",
)  # fmt: skip
def paste(context: Context) -> None:
    """Add what was copied last, as far as it lies inside this image."""
    _add_copies(context, context.clipboard.instances, translated("Paste"))


@command(
    "selection.duplicate", "&Duplicate", menu=_MENU, section="copy", shortcuts=("Ctrl+D",), when=can_change,
    icon="duplicate",
)  # fmt: skip
def duplicate(context: Context) -> None:
    """Add a copy beside each selected instance."""
    _add_copies(context, _in_order(context), translated("Duplicate"))


@command(
    "selection.copy_previous", "Copy &from the previous image", menu=_MENU, section="copy",
    shortcuts=("Ctrl+Shift+V",), icon="copy-previous",
    when=lambda context: can_edit(context) and _previous_id(context) is not None,
    hint="Its instances without the proposals nobody has looked at",
)  # fmt: skip
def copy_previous(context: Context) -> None:
    """Add the instances of the image before this one in the list, once they are read."""
    desk, shown = context.desk, context.editor.shown
    project, previous_id = desk.project, _previous_id(context)
    if shown is None or project is None or previous_id is None:
        return

    def add(document: Document) -> None:
        if context.editor.shown is not shown:
            return  # the person has gone on meanwhile
        there = {(one.class_id, one.mask, one.box_xyxy) for one in shown.document.instances}
        found = [
            one
            for one in document.instances
            if not one.provenance.is_proposal and (one.class_id, one.mask, one.box_xyxy) not in there
        ]
        if found:
            _add_copies(context, found, translated("Copy from the previous image"))
        else:
            desk.noticed.emit(translated("The previous image has no instance that is not here already."))

    desk.background.run(lambda: project.load(previous_id), add, desk.failed.emit)


def _previous_id(context: Context) -> int | None:
    desk = context.desk
    place = desk.place_of(desk.current.id) if desk.current is not None else None
    return desk.order[place - 1] if place else None


def _in_order(context: Context) -> tuple[Instance, ...]:
    """The selected instances from the lowest to the topmost."""
    return tuple(sorted(context.editor.selected, key=lambda one: (one.z, one.id)))


def copies_of(instances: Iterable[Instance], *, next_z: int) -> list[Instance]:
    """The same instances under ids of their own, on top, as a person's: whoever copies has looked."""
    return [
        replace(
            one, id=new_id(), z=next_z + place, provenance=Provenance.DRAWN, score=None, track_id=None
        )
        for place, one in enumerate(instances)
    ]  # fmt: skip


def _add_copies(context: Context, instances: Sequence[Instance], name: str) -> None:
    """Add copies in one edit and select them; beside where the very same instance is."""
    editor = context.editor
    shown = editor.shown
    if shown is None or not instances:
        return
    height, width = shown.size
    known = {one.id for one in editor.classes}
    there = {(one.mask, one.box_xyxy) for one in shown.document.instances}
    if any((one.mask, one.box_xyxy) in there for one in instances):
        instances = _shifted(instances, height, width)
    fitting = [geometry.clipped(instance=one, height=height, width=width) for one in instances]
    copies = copies_of((one for one in fitting if one is not None), next_z=shown.document.next_z)
    # A class may have been removed since it was copied.
    copies = [one for one in copies if one.class_id in known]
    if not copies:
        editor.refused.emit(translated("Nothing of what was copied lies inside this image."))
        return
    with editor.edit(name):
        for one in copies:
            shown.document.add(one)
    editor.select(one.id for one in copies if one.id in shown.document.records)


def _shifted(instances: Sequence[Instance], height: int, width: int) -> list[Instance]:
    """The instances moved together by the offset, or the other way where the image ends there."""
    x0, y0, x1, y1 = geometry.joint_box(boxes=[one.bounds_xyxy for one in instances])
    dx = _OFFSET if x1 + _OFFSET <= width or x0 < _OFFSET else -_OFFSET
    dy = _OFFSET if y1 + _OFFSET <= height or y0 < _OFFSET else -_OFFSET
    return [geometry.moved(instance=one, dx=dx, dy=dy) for one in instances]
