"""What to look at next, and likely mistakes: go to them, settle them, have the model look for more."""

from __future__ import annotations

from gui.commands.registry import Context, command
from gui.review import Wanted

_IMAGE, _MODEL = ("Image",), ("Model",)


def _has_images(context: Context) -> bool:
    return context.review is not None and bool(context.desk.media)


@command(
    "review.next_worth",
    "Next image &worth a look",
    menu=_IMAGE,
    section="go",
    shortcuts=("J",),
    when=_has_images,
    icon="next-worth",
    hint="The one that a model would learn most from: spread out at first, later what it doubts most",
)
def next_worth(context: Context) -> None:
    """Show the first of the queue."""
    if context.review is not None:
        context.review.go_to_next_worth()


@command(
    "review.next_mistake",
    "Next &likely mistake",
    menu=_IMAGE,
    section="go",
    shortcuts=("K",),
    when=_has_images,
    icon="next-mistake",
    hint="A reviewed image on which the model contradicts a label",
)
def next_mistake(context: Context) -> None:
    """Show the image's next conflict, or the next image's first."""
    if context.disputes is not None:
        context.disputes.next()


@command(
    "review.take",
    "Take the &model's",
    menu=_IMAGE,
    section="mistake",
    shortcuts=("M",),
    when=lambda context: context.disputes is not None and context.disputes.can_take,
    icon="model",
    hint="The label becomes what the model says: added, removed, of its class or with its outline",
)
def take(context: Context) -> None:
    """Make the label what the model says."""
    if context.disputes is not None:
        context.disputes.take()


@command(
    "review.keep",
    "The label is ri&ght",
    menu=_IMAGE,
    section="mistake",
    shortcuts=("L",),
    when=lambda context: context.disputes is not None and context.disputes.can_settle,
    icon="accept",
    hint="This conflict is never told again, by no model",
)
def keep(context: Context) -> None:
    """Dismiss the conflict for good."""
    if context.disputes is not None:
        context.disputes.settle()


@command(
    "review.close",
    "Look no more at this image's conflicts",
    menu=_IMAGE,
    section="mistake",
    when=lambda context: context.disputes is not None and context.disputes.is_open,
    icon="close",
    hint="They stay known",
)
def close(context: Context) -> None:
    """Take the line and the marks away."""
    if context.disputes is not None:
        context.disputes.close()


def _may_look(context: Context) -> bool:
    return _has_images(context) and not context.desk.read_only_reason and not _is_looking(context)


def _is_looking(context: Context) -> bool:
    return context.review is not None and context.review.is_looking


@command(
    "review.check",
    "Look for likely mistakes",
    menu=_MODEL,
    section="review",
    when=_may_look,
    icon="search",
    hint="The model in use looks through the reviewed images; it changes nothing",
)
def check(context: Context) -> None:
    """Have the model examine what a person has reviewed."""
    if context.review is not None:
        context.review.look(Wanted.MISTAKES)


@command(
    "review.rate",
    "Look for what is worth a look",
    menu=_MODEL,
    section="review",
    when=_may_look,
    icon="sort",
    hint="The model in use looks at each image and its mirror image; what it doubts comes first",
)
def rate(context: Context) -> None:
    """Have the model examine what nobody has reviewed."""
    if context.review is not None:
        context.review.look(Wanted.WORTH)


@command(
    "review.stop",
    "Stop looking",
    menu=_MODEL,
    section="review",
    when=_is_looking,
    icon="stop",
    hint="What was found stays; looking again goes on from there",
)
def stop(context: Context) -> None:
    """Stop after the image at hand."""
    if context.review is not None:
        context.review.stop()
