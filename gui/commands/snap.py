"""Draw the outlines of the selected instances to the edges of the picture. Needs no model."""

from __future__ import annotations

from dataclasses import replace

from engine.classical import snapped
from engine.document.mask import Mask
from engine.document.records import Instance
from gui.commands.image import can_edit
from gui.commands.registry import Context, command, translated


@command(
    "shape.snap", "S&nap to edges", menu=("Instance",), section="mend", icon="snap",
    when=lambda context: can_edit(context) and any(one.mask is not None for one in context.editor.selected),
    hint="The outlines of the selected instances move to the edges of the picture near them",
)  # fmt: skip
def snap(context: Context) -> None:
    """Snap the selected masks on a thread, then change them in one edit; what was edited meanwhile stays."""
    editor, shown = context.editor, context.editor.shown
    chosen = {one.id: one.mask for one in editor.selected if one.mask is not None}
    if shown is None or not chosen or not editor.allows_edits():
        return

    def work() -> dict[int, Mask]:
        return {id_: snapped(shown.pixels, mask) for id_, mask in chosen.items()}

    def take(found: dict[int, Mask]) -> None:
        if editor.shown is not shown:
            return
        with editor.edit(translated("Snap to edges")):
            for id_, mask in found.items():
                one = shown.document.records.get(id_)
                if isinstance(one, Instance) and one.mask is chosen[id_] and mask != one.mask:
                    shown.document.replace(replace(one, mask=mask))

    context.desk.background.run(work, take, context.desk.failed.emit)
