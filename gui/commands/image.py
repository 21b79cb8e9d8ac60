"""Images: go from one to the next, accept, reopen, put off, flag."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QInputDialog, QWidget

from engine.document.records import ReviewState
from engine.upgrading import settle
from gui.commands.registry import Context, command, translated

_MENU = ("Image",)


def _has_images(context: Context) -> bool:
    return bool(context.desk.order)


def can_edit(context: Context) -> bool:
    """Whether an image is shown whose instances may be changed."""
    return context.editor.shown is not None and not context.editor.is_read_only


def _is_reviewed(context: Context) -> bool:
    shown = context.editor.shown
    return shown is not None and shown.document.state.review is ReviewState.REVIEWED


@command(
    "image.accept",
    "&Accept image and go on",
    menu=_MENU,
    section="review",
    shortcuts=("Ctrl+Return",),
    when=can_edit,
    icon="accept-next",
    hint="What is seen is right: visible proposals are accepted, hidden ones removed (or tap Space)",
)
def accept(context: Context) -> None:
    """Accept the image as it is seen and show the next that needs a look."""
    editor = context.editor
    if editor.shown is None:
        return
    if editor.tool.is_busy:
        editor.commit()
    if editor.sight.hide_all:
        context.desk.noticed.emit(translated("Everything is hidden: show it before you accept the image."))
        return
    visible = {one.id for one in editor.visible}
    with editor.edit(translated("Accept image")):
        editor.shown.document.accept_image(visible)
        settle(editor.shown.document)
    if not editor.is_read_only and not context.desk.step_to_look_at(1):
        context.desk.noticed.emit(translated("Every image of this list is reviewed or put off."))


@command(
    "image.reopen",
    "Take the &review back",
    menu=_MENU,
    section="review",
    when=lambda context: can_edit(context) and _is_reviewed(context),
    icon="reset",
)
def reopen(context: Context) -> None:
    """The image counts as unlabelled again, its instances stay."""
    editor = context.editor
    assert editor.shown is not None
    with editor.edit(translated("Take review back")):
        document = editor.shown.document
        document.replace(replace(document.state, review=ReviewState.UNLABELLED))


@command(
    "image.accept_content",
    "These instances are ri&ght",
    menu=_MENU,
    section="review",
    when=lambda context: can_edit(context) and context.desk.is_other_content,
    icon="accept",
    hint="The picture was changed under its instances, and they fit it all the same",
)
def accept_content(context: Context) -> None:
    """Take the instances as made for the picture as it is now."""
    context.desk.accept_content()


def _is_skipped(context: Context) -> bool:
    shown = context.editor.shown
    return shown is not None and shown.document.state.skip


@command(
    "image.skip",
    "&Skip for later",
    menu=_MENU,
    section="review",
    shortcuts=("Ctrl+K",),
    when=can_edit,
    checked=_is_skipped,
    icon="skip",
    hint="Leave it out when going from one image that needs a look to the next",
)
def skip(context: Context) -> None:
    """Put the image off, or take that back."""
    editor = context.editor
    if editor.shown is None:
        return
    document = editor.shown.document
    with editor.edit(translated("Skip for later")):
        document.replace(replace(document.state, skip=not document.state.skip))
    if document.state.skip:
        context.desk.step_to_look_at(1)


def _ask_flags(parent: QWidget, context: Context) -> tuple[tuple[str, ...]] | None:
    assert context.editor.shown is not None
    flags = context.editor.shown.document.state.flags
    text, wanted = QInputDialog.getText(
        parent,
        translated("Flags of the image"),
        translated("Words with commas between, such as: blurred, ask Ann"),
        text=", ".join(flags),
    )
    found = dict.fromkeys(word.strip() for word in text.split(",") if word.strip())
    return (tuple(found),) if wanted else None


@command(
    "image.flags",
    "&Flags…",
    menu=_MENU,
    section="review",
    when=can_edit,
    ask=_ask_flags,
    icon="flag",
)
def flag(context: Context, flags: tuple[str, ...]) -> None:
    """Give the image these flags, and no others."""
    editor = context.editor
    if editor.shown is not None:
        with editor.edit(translated("Flags")):
            document = editor.shown.document
            document.replace(replace(document.state, flags=flags))


@command(
    "image.next", "&Next image", menu=_MENU, section="go", shortcuts=("D", "PgDown"), when=_has_images,
    icon="next", repeats=True,
)  # fmt: skip
def next_(context: Context) -> None:
    """Show the image after this one in the list."""
    context.desk.step(1)


@command(
    "image.previous", "&Previous image", menu=_MENU, section="go", shortcuts=("A", "PgUp"),
    when=_has_images, icon="previous", repeats=True,
)  # fmt: skip
def previous(context: Context) -> None:
    """Show the image before this one in the list."""
    context.desk.step(-1)


@command(
    "image.next_to_look_at", "Next image that needs a look", menu=_MENU, section="go",
    shortcuts=("Ctrl+Shift+D",), when=_has_images, icon="next-unreviewed",
)  # fmt: skip
def next_to_look_at(context: Context) -> None:
    """Show the next image that is neither reviewed nor put off."""
    if not context.desk.step_to_look_at(1):
        context.desk.noticed.emit(translated("Every image of this list is reviewed or put off."))


@command(
    "image.previous_to_look_at", "Previous image that needs a look", menu=_MENU, section="go",
    shortcuts=("Ctrl+Shift+A",), when=_has_images, icon="previous-unreviewed",
)  # fmt: skip
def previous_to_look_at(context: Context) -> None:
    """Show the previous image that is neither reviewed nor put off."""
    if not context.desk.step_to_look_at(-1):
        context.desk.noticed.emit(translated("Every image of this list is reviewed or put off."))


@command("image.first", "&First image", menu=_MENU, section="go", shortcuts=("Home",), when=_has_images)
def first(context: Context) -> None:
    """Show the first image of the list."""
    context.desk.show(context.desk.order[0])


@command("image.last", "&Last image", menu=_MENU, section="go", shortcuts=("End",), when=_has_images)
def last(context: Context) -> None:
    """Show the last image of the list."""
    context.desk.show(context.desk.order[-1])
