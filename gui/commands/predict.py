"""Proposals: have the model look, accept, reject, choose the model."""

from __future__ import annotations

from collections.abc import Callable

from engine.document.document import Document
from engine.document.records import Instance
from gui.commands.image import can_edit
from gui.commands.registry import Context, command, nothing, translated
from gui.dialogs.explain import ExplainDialog
from gui.dialogs.models import ask_model

_MENU = ("Model",)


def _proposals(context: Context) -> tuple[Instance, ...]:
    return tuple(one for one in context.editor.visible if one.provenance.is_proposal)


def _selected(context: Context) -> tuple[Instance, ...]:
    return tuple(one for one in context.editor.selected if one.provenance.is_proposal)


def _has_proposals(context: Context) -> bool:
    return can_edit(context) and bool(_proposals(context))


@command(
    "predict.run",
    "&Look at this image now",
    menu=_MENU,
    section="run",
    shortcuts=("I",),
    when=can_edit,
    icon="predict",
    hint="Have the model propose instances; its earlier proposals on this image are replaced",
)
def run(context: Context) -> None:
    """Replace the image's proposals by fresh ones."""
    context.proposals.predict()


@command(
    "predict.by_itself",
    "Look at images as they are shown",
    menu=_MENU,
    section="run",
    checked=lambda context: context.proposals.predicts_by_itself,
    hint="Images without instances get proposals, and so do their neighbours ahead of time",
)
def by_itself(context: Context) -> None:
    """Switch that on or off."""
    context.proposals.set_predicts_by_itself(not context.proposals.predicts_by_itself)


command(
    "explain.show",
    "&Explain this image…",
    menu=_MENU,
    section="run",
    shortcuts=("Ctrl+Shift+E",),
    when=lambda context: context.editor.shown is not None,
    ask=ExplainDialog.open_one,
    icon="explain",
    hint="See how the model comes to its proposals: features, anchors, RoIs, suppression and masks",
)(nothing)


@command(
    "predict.accept",
    "&Accept the selected proposals",
    menu=_MENU,
    section="accept",
    shortcuts=("Return", "Enter"),
    when=lambda context: can_edit(context) and (context.editor.tool.is_busy or bool(_selected(context))),
    icon="accept",
    hint="While something is drawn, the same key finishes it",
)
def accept(context: Context) -> None:
    """Take the selected proposals as right and select the next best one."""
    editor = context.editor
    if editor.tool.is_busy:
        editor.commit()
        return
    _settle(context, "Accept", Document.accept)


def _settle(context: Context, name: str, settle: Callable[[Document, int], object]) -> None:
    """Settle the selected proposals in one edit and select the best of those that are left."""
    editor = context.editor
    chosen = _selected(context)
    if editor.document is None or not chosen:
        return
    with editor.edit(translated(name)):
        for one in chosen:
            settle(editor.document, one.id)
    left = sorted(_proposals(context), key=lambda one: -(one.score or 0.0))
    if left:
        editor.select([left[0].id])


@command(
    "predict.accept_all",
    "Accept all &visible proposals",
    menu=_MENU,
    section="accept",
    shortcuts=("Shift+Return",),
    when=_has_proposals,
    icon="accept-all",
)
def accept_all(context: Context) -> None:
    """Take every visible proposal as right; the image is not yet reviewed."""
    editor = context.editor
    if editor.shown is not None:
        with editor.edit(translated("Accept all")):
            for one in _proposals(context):
                editor.shown.document.accept(one.id)


@command(
    "predict.reject",
    "&Reject the selected proposals",
    menu=_MENU,
    section="accept",
    shortcuts=("X",),
    when=lambda context: can_edit(context) and bool(_selected(context)),
    icon="reject",
)
def reject(context: Context) -> None:
    """Remove the selected proposals and select the next best one."""
    _settle(context, "Reject", Document.remove)


@command(
    "predict.reject_all",
    "Re&ject all proposals",
    menu=_MENU,
    section="accept",
    shortcuts=("Shift+X",),
    when=lambda context: (
        can_edit(context)
        and context.editor.document is not None
        and any(one.provenance.is_proposal for one in context.editor.document.instances)
    ),
    icon="reject",
    hint="The hidden ones too",
)
def reject_all(context: Context) -> None:
    """Remove every proposal of the image, seen or not."""
    editor = context.editor
    if editor.shown is not None:
        document = editor.shown.document
        with editor.edit(translated("Reject all")):
            for one in document.instances:
                if one.provenance.is_proposal:
                    document.remove(one.id)


@command(
    "predict.model",
    "&Choose the model…",
    menu=_MENU,
    section="model",
    shortcuts=("Ctrl+M",),
    ask=ask_model,
    icon="model",
)
def choose_model(context: Context, name: str) -> None:
    """Use another model; one that is not here yet is downloaded first."""
    context.models.choose(name)
