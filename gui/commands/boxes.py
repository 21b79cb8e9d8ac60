"""Boxes to masks: of the selected instances, of the image, of all images; and back."""

from __future__ import annotations

from collections.abc import Iterable

from engine.document.records import Instance
from gui.commands.image import can_edit
from gui.commands.registry import Context, command

_MENU = ("Model", "Boxes to masks")


def _boxes(instances: Iterable[Instance]) -> list[Instance]:
    return [one for one in instances if one.mask is None and one.box_xyxy is not None]


def _can_start(context: Context) -> bool:
    return (
        context.desk.project is not None and not context.desk.read_only_reason and not context.jobs.is_running
    )


@command(
    "boxes.selected", "Of the &selected instances", menu=_MENU, section="run", icon="box-prompt",
    when=lambda context: can_edit(context) and _can_start(context) and bool(_boxes(context.editor.selected)),
    hint="The model makes the masks of instances that have only a box; class, box and id stay",
)  # fmt: skip
def of_selected(context: Context) -> None:
    """Give the selected boxes their masks."""
    shown = context.editor.shown
    if shown is not None:
        ids = frozenset(one.id for one in _boxes(context.editor.selected))
        context.jobs.upgrade((shown.item.id,), ids)


@command(
    "boxes.image", "Of this &image", menu=_MENU, section="run", icon="box-prompt",
    when=lambda context: can_edit(context) and _can_start(context) and context.editor.document is not None
    and bool(_boxes(context.editor.document.instances)),
    hint="Every instance of the image that has only a box gets a mask",
)  # fmt: skip
def of_image(context: Context) -> None:
    """Give the image's boxes their masks."""
    shown = context.editor.shown
    if shown is not None:
        context.jobs.upgrade((shown.item.id,))


@command(
    "boxes.all", "Of &all images", menu=_MENU, section="run", icon="box-prompt", when=_can_start,
    hint="In the background; images in which a mask disagrees with its box are flagged for a review",
)  # fmt: skip
def of_all(context: Context) -> None:
    """Give every box of the project its mask."""
    context.jobs.upgrade()


@command(
    "boxes.undo", "&Undo the last run", menu=_MENU, section="undo", icon="undo",
    when=lambda context: not context.desk.read_only_reason and context.jobs.can_undo_upgrade,
    hint="On images that were edited since, undo it there",
)  # fmt: skip
def undo(context: Context) -> None:
    """Take the masks of the last run back."""
    context.jobs.undo_upgrade()
