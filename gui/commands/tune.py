"""Learning from the reviewed images: begin, pause, go on, cancel, compare, go back, model versions."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from engine.messages import FineTune
from gui.commands.registry import Context, command, nothing
from gui.dialogs.learn import ask_learn
from gui.dialogs.verdict import show_verdict
from gui.dialogs.versions import VersionsDialog

_MENU = ("Model",)


def _may_learn(context: Context) -> bool:
    return (
        context.desk.project is not None
        and not context.desk.read_only_reason
        and not context.tuning.is_running
    )


@command(
    "tune.learn",
    "&Learn from the reviewed images…",
    menu=_MENU,
    section="tune",
    shortcuts=("Ctrl+T",),
    when=_may_learn,
    ask=ask_learn,
    icon="train",
    hint="The model learns from what you accepted and corrected; a worse one is never put in its place",
)
def learn(context: Context, request: FineTune) -> None:
    """Start a training on the project's reviewed images."""
    context.tuning.learn(request)


@command(
    "tune.pause",
    "Pause learning",
    menu=_MENU,
    section="tune",
    when=lambda context: context.tuning.can_pause,
    icon="pause",
)
def pause(context: Context) -> None:
    """Hold the training after its step."""
    context.tuning.pause()


@command(
    "tune.resume",
    "Resume learning",
    menu=_MENU,
    section="tune",
    when=lambda context: context.tuning.is_paused,
    icon="play",
)
def resume(context: Context) -> None:
    """Let the paused training go on."""
    context.tuning.resume()


@command(
    "tune.cancel",
    "Stop learning",
    menu=_MENU,
    section="tune",
    when=lambda context: context.tuning.can_cancel,
    icon="stop",
    hint="The model in use stays; the training can go on later where it stopped",
)
def cancel(context: Context) -> None:
    """End the training within two seconds."""
    context.tuning.cancel()


@command(
    "tune.go_on",
    "Continue learning",
    menu=_MENU,
    section="tune",
    when=lambda context: _may_learn(context) and context.tuning.can_go_on,
    icon="play",
)
def go_on(context: Context) -> None:
    """Go on with the training that was stopped."""
    context.tuning.go_on()


@command(
    "tune.discard",
    "Forget the stopped training",
    menu=_MENU,
    section="tune",
    when=lambda context: context.tuning.can_go_on,
    icon="trash",
)
def discard(context: Context) -> None:
    """Throw away the restart file of the training that was stopped."""
    context.tuning.discard()


def _show_verdict(parent: QWidget, context: Context) -> None:
    if context.tuning.verdict is not None:
        show_verdict(parent, context, context.tuning.verdict)


command(
    "tune.verdict",
    "Compare old and new model",
    menu=_MENU,
    section="tune",
    when=lambda context: context.tuning.verdict is not None,
    ask=_show_verdict,
    icon="compare",
    hint="What the last training brought, on images that it never saw",
)(nothing)


command(
    "tune.versions",
    "Model &versions…",
    menu=_MENU,
    section="model",
    when=lambda context: context.versions is not None,
    ask=VersionsDialog.open_one,
    icon="layers",
    hint="Where each came from and how good it is; compare, rename, export, delete",
)(nothing)


def _is_refused(context: Context) -> bool:
    verdict = context.tuning.verdict
    return verdict is not None and not verdict.is_active and context.proposals.model != verdict.new_name


@command(
    "tune.use_new",
    "Use the new model all the same",
    menu=_MENU,
    section="model",
    when=lambda context: _is_refused(context) and not context.desk.read_only_reason,
    icon="model",
    hint="It was no better on the held-out images",
)
def use_new(context: Context) -> None:
    """Use the version that the gate kept back; going back takes one click."""
    if context.tuning.verdict is not None:
        context.models.activate(context.tuning.verdict.new_name)


@command(
    "tune.go_back",
    "&Go back to the previous model",
    menu=_MENU,
    section="model",
    when=lambda context: context.models.can_go_back,
    icon="undo",
    hint="Once more returns; proposals that nobody looked at are made anew",
)
def go_back(context: Context) -> None:
    """Use the model before this one."""
    context.models.go_back()
