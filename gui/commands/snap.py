"""Outlines that were drawn roughly: drawn to the edges of the picture, which needs no model, or by the model
with the present masks as its hints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.classical import snapped
from engine.document.mask import Mask
from engine.document.records import Instance
from gui.commands.image import can_edit
from gui.commands.registry import Context, command, translated
from gui.tools.prompting import Answer, Question


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


def _can_fit(context: Context) -> bool:
    editor = context.editor
    if editor.tool.is_busy:
        return can_edit(context) and editor.tool.id == "polygon"
    return can_edit(context) and any(one.mask is not None for one in editor.selected)


@command(
    "shape.fit", "F&it to the picture", menu=("Instance",), section="mend", shortcuts=("H",),
    icon="fit-picture", when=_can_fit,
    hint="The model draws what the rough outlines of the selected instances mean; "
    "while a polygon is drawn, it is finished first",
)  # fmt: skip
def fit(context: Context) -> None:
    """Ask for one after the other, then change them in one edit; what was edited meanwhile stays."""
    editor, finder = context.editor, context.editor.finder
    if editor.tool.is_busy:
        editor.commit()
    shown = editor.shown
    chosen = [one for one in editor.selected if one.mask is not None]
    if editor.tool.is_busy or shown is None or finder is None or not chosen or not editor.allows_edits():
        return
    if not finder.is_ready:
        context.desk.noticed.emit(
            translated("The model is looking at this picture for the first time; the outline follows.")
        )
    names = {each.id: each.name for each in editor.classes}
    found: dict[int, Mask] = {}

    def ask(place: int) -> None:
        one = chosen[place]
        finder.ask(
            Question(class_name=names.get(one.class_id), hint=one.mask), lambda answer: then(place, answer)
        )

    def then(place: int, answer: Answer) -> None:
        if editor.shown is not shown:
            return
        if answer.problem:
            editor.refused.emit(answer.problem)
        elif answer.candidates:
            found[chosen[place].id] = answer.candidates[0].mask
        if answer.problem or place + 1 == len(chosen):
            _take(context, chosen, found)
        else:
            ask(place + 1)

    ask(0)


def _take(context: Context, asked: Sequence[Instance], found: Mapping[int, Mask]) -> None:
    """Give the instances the masks that were found for them, by id; those that are others now stay."""
    document = context.editor.document
    if document is None:
        return
    with context.editor.edit(translated("Fit to the picture")):
        for before in asked:
            one, mask = document.records.get(before.id), found.get(before.id)
            if isinstance(one, Instance) and one.mask is before.mask and mask not in (None, one.mask):
                document.replace(replace(one, mask=mask))
