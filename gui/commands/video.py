"""Films: play, step, jump, go to what is marked, label every n-th frame, write frames as files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from gui.commands.registry import Context, command, translated
from gui.frames import Frames

_MENU = ("Image", "Film")


def _film(context: Context) -> Frames | None:
    frames = context.frames
    return frames if frames is not None and frames.clip is not None else None


def has_film(context: Context) -> bool:
    """Whether the shown image is one frame of several."""
    return _film(context) is not None


def _is_playing(context: Context) -> bool:
    return context.frames is not None and context.frames.is_playing


@command(
    "film.play", "&Play or pause", menu=_MENU, section="go", shortcuts=("Ctrl+Space",), when=has_film,
    icon="play", checked=_is_playing, hint="Play the film from here; click the picture to pause",
)  # fmt: skip
def play(context: Context) -> None:
    """Play, or pause at the frame that is seen."""
    if frames := _film(context):
        frames.toggle()


@command(
    "film.back", "Frame &back", menu=_MENU, section="go", shortcuts=(",",), when=has_film,
    icon="frame-back", repeats=True,
)  # fmt: skip
def back(context: Context) -> None:
    """Show the frame before this one."""
    if frames := _film(context):
        frames.step(-1)


@command(
    "film.forward", "Frame &forward", menu=_MENU, section="go", shortcuts=(".",), when=has_film,
    icon="frame-forward", repeats=True,
)  # fmt: skip
def forward(context: Context) -> None:
    """Show the frame after this one."""
    if frames := _film(context):
        frames.step(1)


@command(
    "film.second_back", "A &second back", menu=_MENU, section="go", shortcuts=("Shift+,", "<"), when=has_film,
    repeats=True,
)  # fmt: skip
def second_back(context: Context) -> None:
    """Show the frame of a second ago."""
    _by_seconds(context, -1.0)


@command(
    "film.second_forward", "A second for&ward", menu=_MENU, section="go", shortcuts=("Shift+.", ">"),
    when=has_film, repeats=True,
)  # fmt: skip
def second_forward(context: Context) -> None:
    """Show the frame a second on."""
    _by_seconds(context, 1.0)


def _by_seconds(context: Context, seconds: float) -> None:
    frames = _film(context)
    if frames is not None and frames.clip is not None:
        frames.go(frames.clip.at(frames.clip.seconds(frames.frame) + seconds))


def _ask_frame(parent: QWidget, context: Context) -> tuple[int] | None:
    frames = _film(context)
    assert frames is not None
    assert frames.clip is not None
    last = frames.clip.count - 1
    frame, wanted = QInputDialog.getInt(
        parent,
        translated("Go to a frame"),
        translated("Frame, 0 to {:,}").format(last),
        frames.frame,
        0,
        last,
    )
    return (frame,) if wanted else None


@command(
    "film.jump", "&Go to frame…", menu=_MENU, section="go", shortcuts=("Ctrl+G",), when=has_film,
    ask=_ask_frame,
)  # fmt: skip
def jump(context: Context, frame: int) -> None:
    """Show the frame of that number."""
    if frames := _film(context):
        frames.go(frame)


@command(
    "film.next_marked", "&Next frame with labels", menu=_MENU, section="marks", shortcuts=("Ctrl+.",),
    when=has_film,
)  # fmt: skip
def next_marked(context: Context) -> None:
    """Show the next frame of the film that has something on record."""
    _to_marked(context, 1)


@command(
    "film.previous_marked", "P&revious frame with labels", menu=_MENU, section="marks",
    shortcuts=("Ctrl+,",), when=has_film,
)  # fmt: skip
def previous_marked(context: Context) -> None:
    """Show the previous frame of the film that has something on record."""
    _to_marked(context, -1)


def _to_marked(context: Context, by: int) -> None:
    frames, desk = _film(context), context.desk
    if frames is None or frames.clip is None:
        return
    marked = [item.frame for item in desk.media if item.path == frames.clip.path]
    beyond = [frame for frame in marked if (frame - frames.frame) * by > 0]
    if beyond:
        frames.go(min(beyond) if by > 0 else max(beyond))
    else:
        desk.noticed.emit(translated("There is no such frame on this side."))


def _ask_every(parent: QWidget, title: str, count: int, usual: int) -> int | None:
    every, wanted = QInputDialog.getInt(
        parent, title, translated("Of {:,} frames take each n-th, n =").format(count), usual, 1, count
    )
    return every if wanted else None


def _ask_label(parent: QWidget, context: Context) -> tuple[int] | None:
    frames = _film(context)
    assert frames is not None
    assert frames.clip is not None
    usual = max(round(frames.clip.rate), 1)
    every = _ask_every(parent, translated("Label frames"), frames.clip.count, usual)
    return None if every is None else (every,)


@command(
    "film.label", "&Label frames…", menu=_MENU, section="work", icon="label-folder", ask=_ask_label,
    when=lambda context: has_film(context)
    and not context.desk.read_only_reason
    and not context.jobs.is_running,
    hint="Propose instances for each n-th frame in the background; reviewed ones are left alone",
)  # fmt: skip
def label(context: Context, every: int) -> None:
    """Propose instances for each n-th frame of the film."""
    frames = _film(context)
    if frames is not None and frames.clip is not None:
        context.jobs.label((frames.clip.path,), every=every)


def _ask_export(parent: QWidget, context: Context) -> tuple[Path, int] | None:
    frames = _film(context)
    assert frames is not None
    assert frames.clip is not None
    every = _ask_every(parent, translated("Write frames as PNG"), frames.clip.count, 1)
    if every is None:
        return None
    start = str(context.desk.folder or "")
    chosen = QFileDialog.getExistingDirectory(parent, translated("Where the frames are to go"), start)
    return (Path(chosen), every) if chosen else None


@command(
    "film.export", "&Write frames as PNG…", menu=_MENU, section="work", icon="export", ask=_ask_export,
    when=lambda context: has_film(context) and context.frames is not None
    and not context.frames.is_exporting,
    hint="Each n-th frame as a picture file of its own; a second time goes on where the first stopped",
)  # fmt: skip
def export(context: Context, folder: Path, every: int) -> None:
    """Write each n-th frame into a folder."""
    if frames := _film(context):
        frames.export(folder, every)
