"""What can be done with the selected instances: delete, join, cut, mend, class, order, attributes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from engine.document import masks
from engine.document.mask import Mask
from engine.document.polygons import from_polygons
from engine.document.records import Instance, new_id
from gui import geometry
from gui.commands.image import can_edit
from gui.commands.registry import Command, Context, add, command, nothing, translated
from gui.commands.selection import can_change
from gui.dialogs.attributes import ask_attributes
from gui.dialogs.choose_class import ask_class
from gui.dialogs.measurements import MeasurementsDialog

_MENU = ("Instance",)
_SMOOTHING = 2.0  # pixels: what is rougher than this is calmed; again for more
_ARROWS = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}


def _masked(context: Context) -> tuple[Instance, ...]:
    """The selected instances that have a mask, in the order they were selected."""
    return tuple(one for one in context.editor.selected if one.mask is not None)


def _mask_of(instance: Instance) -> Mask:
    assert instance.mask is not None
    return instance.mask


def _has_mask(context: Context) -> bool:
    return can_edit(context) and bool(_masked(context))


def _has_masks(context: Context) -> bool:
    return can_edit(context) and len(_masked(context)) > 1


# Deleting and moving


@command(
    "shape.delete", "&Delete", menu=_MENU, section="delete", shortcuts=("Delete",),
    when=can_edit, icon="trash",
    hint="The selected instances, or what is picked inside the tool, such as vertices",
)  # fmt: skip
def delete(context: Context) -> None:
    """Remove the selected instances, unless the tool has something of its own to remove."""
    editor = context.editor
    if editor.document is None or editor.delete() or editor.tool.is_busy or not editor.selection:
        return
    chosen = editor.selection
    name = translated("Delete" if len(chosen) == 1 else "Delete {n} instances").format(n=len(chosen))
    with editor.edit(name):
        for id_ in chosen:
            editor.document.remove(id_)


def _nudge(context: Context, dx: int, dy: int) -> None:
    editor = context.editor
    if editor.shown is None or not editor.selection:
        return
    height, width = editor.shown.size
    bounds = geometry.bounds_of(instances=editor.selected)
    box = (*bounds[:, :2].min(axis=0).tolist(), *bounds[:, 2:].max(axis=0).tolist())
    allowed = geometry.allowed_shift(box=box, dx=dx, dy=dy, height=height, width=width)
    right, down = (math.trunc(shift) for shift in allowed)
    with editor.edit(translated("Move")):
        for one in editor.selected:
            editor.shown.document.replace(geometry.moved(instance=one, dx=right, dy=down))


def _enter_nudges() -> None:
    for key, (dx, dy) in _ARROWS.items():

        def run(context: Context, dx: int = dx, dy: int = dy) -> None:
            _nudge(context, dx, dy)

        add(
            Command(
                f"shape.move_{key.lower()}", f"Move by a pixel: {key.lower()}", run, menu=(*_MENU, "Move"),
                shortcuts=(f"Ctrl+{key}",), when=can_change, repeats=True,
            )
        )  # fmt: skip


_enter_nudges()


# Joining and cutting


@command(
    "shape.union", "&Union", menu=_MENU, section="join", shortcuts=("Ctrl+U",), when=_has_masks, icon="union",
    hint="All selected instances become the first one that was selected",
)  # fmt: skip
def union(context: Context) -> None:
    """The first selected instance gets the pixels of all; the others are removed."""
    chosen = _masked(context)
    if len(chosen) > 1:
        name = translated("Union of {n}").format(n=len(chosen))
        _become(context, [(chosen[0], reduce(masks.union, map(_mask_of, chosen)))], chosen[1:], name)


@command(
    "shape.subtract", "&Subtract", menu=_MENU, section="join", when=_has_masks, icon="subtract",
    shortcuts=("Ctrl+Shift+U",), hint="The others are cut out of the first one that was selected, and stay",
)  # fmt: skip
def subtract(context: Context) -> None:
    """The first selected instance loses the pixels of the others."""
    chosen = _masked(context)
    if len(chosen) > 1:
        left = reduce(masks.subtract, map(_mask_of, chosen))
        _become(context, [(chosen[0], left)], (), translated("Subtract {n}").format(n=len(chosen) - 1))


@command(
    "shape.intersect", "&Intersect", menu=_MENU, section="join", when=_has_masks, icon="intersect",
    hint="What all have in common becomes the first one that was selected",
)  # fmt: skip
def intersect(context: Context) -> None:
    """The first selected instance keeps the pixels that all have; the others are removed."""
    chosen = _masked(context)
    if len(chosen) > 1:
        common = reduce(masks.intersect, map(_mask_of, chosen))
        name = translated("Intersection of {n}").format(n=len(chosen))
        _become(context, [(chosen[0], common)], chosen[1:], name)


@command(
    "shape.merge", "&Merge what touches", menu=_MENU, section="join", when=_has_masks, icon="merge",
    hint="Selected instances of one class that touch or overlap become one each",
)  # fmt: skip
def merge(context: Context) -> None:
    """Each group of selected instances of one class that hang together becomes its first one."""
    groups = touching(_masked(context))
    joined = [(group[0], reduce(masks.union, map(_mask_of, group))) for group in groups if len(group) > 1]
    if not joined:
        context.editor.refused.emit(translated("No two of the selected instances of one class touch."))
        return
    gone = [one for group in groups for one in group[1:]]
    _become(context, joined, gone, translated("Merge {n}").format(n=len(gone) + len(joined)))


@command(
    "shape.split", "S&plit into parts", menu=_MENU, section="join", when=_has_mask, icon="split",
    hint="Each connected part becomes an instance of its own",
)  # fmt: skip
def split(context: Context) -> None:
    """Each part of the selected instances becomes an instance; the largest part keeps the record."""
    editor = context.editor
    document = editor.document
    found = [(one, masks.parts(_mask_of(one))) for one in _masked(context)]
    found = [(one, parts) for one, parts in found if len(parts) > 1]
    if document is None:
        return
    if not found:
        editor.refused.emit(translated("Each of the selected instances is of one part."))
        return
    ids: list[int] = []
    with editor.edit(translated("Split into {n}").format(n=sum(len(parts) for _, parts in found))):
        for one, parts in found:
            largest = max(parts, key=lambda part: part.area)
            document.replace(replace(one, mask=largest))
            kept = document.instance(one.id)
            ids.append(one.id)
            for part in parts:
                if part is not largest:
                    twin = replace(kept, id=new_id(), mask=part, box_xyxy=None, rings=(), keypoints=())
                    document.add(replace(twin, z=document.next_z))
                    ids.append(twin.id)
    editor.select(id_ for id_ in ids if id_ in document.records)


def touching(instances: Sequence[Instance]) -> list[list[Instance]]:
    """The instances in groups of one class that touch or overlap, pixel beside pixel, in their order."""
    x0, y0, x1, y1 = geometry.bounds_of(instances=instances).T
    classes = np.array([one.class_id for one in instances])
    leader = list(range(len(instances)))  # of each instance's group: the first one in it

    def first_of(place: int) -> int:
        while leader[place] != place:
            place = leader[place]
        return place

    for place, one in enumerate(instances):
        meets = (x0[:place] <= x1[place]) & (x0[place] <= x1[:place])
        meets &= (y0[:place] <= y1[place]) & (y0[place] <= y1[:place]) & (classes[:place] == one.class_id)
        for other in np.flatnonzero(meets).tolist():
            here, there = first_of(place), first_of(other)
            if here != there and _touch(_mask_of(one), _mask_of(instances[other])):
                leader[max(here, there)] = min(here, there)
    groups: dict[int, list[Instance]] = {}
    for place, one in enumerate(instances):
        groups.setdefault(first_of(place), []).append(one)
    return list(groups.values())


def _touch(a: Mask, b: Mask) -> bool:
    steps = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    return any(
        not masks.intersect(geometry.shifted(mask=a, dx=dx, dy=dy), b).is_empty for dx, dy in steps
    )  # fmt: skip


def _become(
    context: Context, changed: Sequence[tuple[Instance, Mask]], gone: Sequence[Instance], name: str
) -> None:
    """Give instances other masks and remove others, in one edit; nothing where a mask would be empty."""
    editor = context.editor
    document = editor.document
    if document is None:
        return
    if any(mask.is_empty for _, mask in changed):
        editor.refused.emit(translated("Nothing would be left of the instance that was selected first."))
        return
    with editor.edit(name):
        for one, mask in changed:
            document.replace(replace(one, mask=mask))
        for one in gone:
            document.remove(one.id)


# Mending


def _mend(context: Context, name: str, make: Callable[[Mask], Mask]) -> None:
    """Give each selected instance a mended mask; one that would be left without a pixel stays as it is."""
    editor = context.editor
    if editor.shown is None:
        return
    height, width = editor.shown.size
    with editor.edit(translated(name)):
        for one in _masked(context):
            mask = make(_mask_of(one)).clipped(height, width)
            if not mask.is_empty and mask != one.mask:
                editor.shown.document.replace(replace(one, mask=mask))


@command("shape.fill_holes", "&Fill holes", menu=_MENU, section="mend", when=_has_mask, icon="fill-holes")
def fill_holes(context: Context) -> None:
    """Fill every hole of the selected instances."""
    _mend(context, "Fill holes", masks.fill_holes)


@command(
    "shape.smooth", "S&mooth", menu=_MENU, section="mend", when=_has_mask, icon="smooth",
    hint="Calm the outline; again for more",
)  # fmt: skip
def smooth(context: Context) -> None:
    """Calm the outlines of the selected instances."""
    _mend(context, "Smooth", lambda mask: masks.smooth(mask, _SMOOTHING))


@command(
    "shape.simplify", "Simplif&y", menu=_MENU, section="mend", when=_has_mask, icon="simplify",
    hint="An outline of few straight edges",
)  # fmt: skip
def simplify(context: Context) -> None:
    """Draw the outlines of the selected instances with few corners."""
    _mend(context, "Simplify", simplified)


def simplified(mask: Mask) -> Mask:
    """The mask with an outline of few corners; parts and holes stay as many as they are."""
    tolerance = max(1.5, math.hypot(*mask.bitmap.shape) / 200)
    return from_polygons(ring for polygon in masks.simplify(mask, tolerance) for ring in polygon.rings)


# Class


def set_class(context: Context, class_id: int) -> None:
    """Give the selected instances this class; new ones get it too."""
    editor = context.editor
    if editor.choose_class(class_id):
        return
    if editor.document is None or not editor.selection or all(
        one.class_id == class_id for one in editor.selected
    ):  # fmt: skip
        return
    with editor.edit(translated("Change class")):
        for one in editor.selected:
            editor.document.replace(replace(one, class_id=class_id))


command(
    "shape.class", "Change &class…", menu=_MENU, section="class", shortcuts=("C",), icon="classes",
    when=lambda context: bool(context.editor.classes), ask=ask_class,
    hint="Of the selected instances and of those drawn from now on",
)(set_class)  # fmt: skip


def _enter_classes() -> None:
    for number in range(1, 10):

        def run(context: Context, number: int = number) -> None:
            set_class(context, context.editor.classes[number - 1].id)

        def has_it(context: Context, number: int = number) -> bool:
            return len(context.editor.classes) >= number

        add(
            Command(
                f"shape.class_{number}", f"Class {number}", run, menu=(*_MENU, "Class by number"),
                shortcuts=(str(number),), when=has_it,
            )
        )  # fmt: skip


_enter_classes()


# Order


def _reorder(context: Context, order: Sequence[Instance], name: str) -> None:
    """Bring the instances into this order from the lowest to the topmost, changing as few z as can be."""
    editor = context.editor
    if editor.document is None:
        return
    with editor.edit(translated(name)):
        below: tuple[int, int] | None = None
        for one in order:
            z = one.z
            if below is not None and (z, one.id) <= below:
                z = below[0] if one.id > below[1] else below[0] + 1
                editor.document.replace(replace(one, z=z))
            below = z, one.id


def _split_order(context: Context) -> tuple[list[Instance], list[Instance]]:
    """All instances from the lowest to the topmost: the selected ones, and the others."""
    selected = set(context.editor.selection)
    every = context.editor.document.instances if context.editor.document else ()
    return [one for one in every if one.id in selected], [one for one in every if one.id not in selected]


def _past_neighbour(context: Context, name: str, *, up: bool) -> None:
    """Move the selected instances past the next visible one that they overlap, as a block."""
    document = context.editor.document
    chosen, others = _split_order(context)
    if document is None or not chosen:
        return
    order = list(document.instances) if up else list(reversed(document.instances))
    seen = {one.id for one in context.editor.visible}
    places = {one.id: place for place, one in enumerate(order)}
    last = max(places[one.id] for one in chosen)
    for target in order[last + 1 :]:
        if target.id in seen and any(_boxes_meet(target, one) for one in chosen):
            place = others.index(target) + (1 if up else 0)
            _reorder(context, [*others[:place], *chosen, *others[place:]], name)
            return


def _boxes_meet(a: Instance, b: Instance) -> bool:
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = a.bounds_xyxy, b.bounds_xyxy
    return ax0 < bx1 and bx0 < ax1 and ay0 < by1 and by0 < ay1


@command(
    "shape.raise", "&Raise", menu=(*_MENU, "Order"), shortcuts=("Ctrl+]",), when=can_change, icon="raise",
    hint="Over the next instance that it overlaps",
)  # fmt: skip
def raise_(context: Context) -> None:
    """Put the selected instances over the next one they overlap."""
    _past_neighbour(context, "Raise", up=True)


@command(
    "shape.lower", "&Lower", menu=(*_MENU, "Order"), shortcuts=("Ctrl+[",), when=can_change, icon="lower",
    hint="Under the next instance that it overlaps",
)  # fmt: skip
def lower(context: Context) -> None:
    """Put the selected instances under the next one they overlap."""
    _past_neighbour(context, "Lower", up=False)


@command("shape.to_top", "To the &top", menu=(*_MENU, "Order"), shortcuts=("Ctrl+Shift+]",), when=can_change)
def to_top(context: Context) -> None:
    """Put the selected instances over all others."""
    chosen, others = _split_order(context)
    _reorder(context, [*others, *chosen], "To the top")


@command(
    "shape.to_bottom", "To the &bottom", menu=(*_MENU, "Order"), shortcuts=("Ctrl+Shift+[",), when=can_change
)
def to_bottom(context: Context) -> None:
    """Put the selected instances under all others, whose z stays as it is."""
    chosen, others = _split_order(context)
    document = context.editor.document
    if document is None or not others or document.instances[: len(chosen)] == tuple(chosen):
        return
    lowest = others[0].z - len(chosen)
    with context.editor.edit(translated("To the bottom")):
        for place, one in enumerate(chosen):
            document.replace(replace(one, z=lowest + place))


# Attributes


@command(
    "shape.attributes", "&Attributes…", menu=_MENU, section="class", shortcuts=("Ctrl+E",), when=can_change,
    ask=ask_attributes, icon="attributes", hint="Names and values of your own, kept with each instance",
)  # fmt: skip
def set_attributes(context: Context, attributes: tuple[tuple[str, str], ...]) -> None:
    """Give the selected instances these attributes, and no others."""
    editor = context.editor
    if editor.document is None:
        return
    with editor.edit(translated("Attributes")):
        for one in editor.selected:
            editor.document.replace(replace(one, attributes=attributes))


# Measuring


command(
    "measure.show",
    "&Measurements…",
    menu=_MENU,
    section="measure",
    shortcuts=("Ctrl+Shift+M",),
    when=lambda context: context.desk.project is not None,
    ask=MeasurementsDialog.open_one,
    icon="ruler",
    hint="Areas, lengths, shapes and brightness of this image or the project, in pixels or units",
)(nothing)
