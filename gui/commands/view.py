"""How the picture and its instances are seen. Nothing here changes a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gui.camera import Camera
from gui.commands.registry import Context, command, nothing
from gui.dialogs.contrast import ContrastDialog
from gui.editor import Sight

_MENU = ("View",)
_ZOOM = 1.25
_OPACITY = 0.1
_BRUSH = 1.25


def _is_shown(context: Context) -> bool:
    return context.editor.shown is not None


def _has_selection(context: Context) -> bool:
    return bool(context.editor.selection)


def _is(name: str) -> Callable[[Context], bool]:
    return lambda context: bool(getattr(context.editor.sight, name))


def _turn(context: Context, name: str) -> None:
    """Turn a part of the sight on or off."""
    sight = context.editor.sight
    turned: dict[str, Any] = {name: not getattr(sight, name)}
    context.editor.see(replace(sight, **turned))


def _middle(context: Context) -> tuple[float, float]:
    return context.viewport.width() / 2, context.viewport.height() / 2


# Zoom


@command(
    "view.fit", "&Fit the picture", menu=_MENU, section="zoom", shortcuts=("F",), when=_is_shown, icon="fit"
)
def fit(context: Context) -> None:
    """Show the whole picture."""
    if context.editor.shown is None:
        return
    height, width = context.editor.shown.size
    viewport = context.viewport
    context.editor.set_camera(
        Camera.fitting(width, height, view_width=viewport.width(), view_height=viewport.height())
    )


@command(
    "view.actual_size", "&100 %", menu=_MENU, section="zoom", shortcuts=("Ctrl+0",), when=_is_shown,
    icon="actual-size",
)  # fmt: skip
def actual_size(context: Context) -> None:
    """Show each pixel of the picture as one of the screen's own; the middle stays."""
    scale = 1 / context.viewport.devicePixelRatioF()
    context.editor.set_camera(context.editor.camera.at_scale(scale, at=_middle(context)))


@command(
    "view.fit_selection", "Fit the &selection", menu=_MENU, section="zoom", shortcuts=("Shift+F",),
    when=_has_selection, icon="fit",
)  # fmt: skip
def fit_selection(context: Context) -> None:
    """Show the selected instances as large as they go."""
    boxes = [one.bounds_xyxy if one.mask is None else one.mask.box_xyxy for one in context.editor.selected]
    if not boxes:
        return
    x0, y0 = min(box[0] for box in boxes), min(box[1] for box in boxes)
    x1, y1 = max(box[2] for box in boxes), max(box[3] for box in boxes)
    viewport = context.viewport
    least = 32.0  # image pixels, so that a speck is seen with what is around it
    camera = Camera.fitting(
        max(x1 - x0, least),
        max(y1 - y0, least),
        view_width=viewport.width(),
        view_height=viewport.height(),
        margin=min(viewport.width(), viewport.height()) / 8,
    )
    at = camera.to_view((x0 + x1) / 2, (y0 + y1) / 2)
    middle = _middle(context)
    context.editor.set_camera(camera.moved(middle[0] - at[0], middle[1] - at[1]))


@command(
    "view.zoom_in", "Zoom &in", menu=_MENU, section="zoom", shortcuts=("Ctrl++", "Ctrl+="), when=_is_shown,
    icon="zoom-in", repeats=True,
)  # fmt: skip
def zoom_in(context: Context) -> None:
    """See less of the picture, larger; the middle stays."""
    context.editor.set_camera(context.editor.camera.zoomed(_ZOOM, at=_middle(context)))


@command(
    "view.zoom_out", "Zoom &out", menu=_MENU, section="zoom", shortcuts=("Ctrl+-",), when=_is_shown,
    icon="zoom-out", repeats=True,
)  # fmt: skip
def zoom_out(context: Context) -> None:
    """See more of the picture, smaller; the middle stays."""
    context.editor.set_camera(context.editor.camera.zoomed(1 / _ZOOM, at=_middle(context)))


# Instances


@command(
    "view.hide_all", "&Hide all instances", menu=_MENU, section="instances", shortcuts=("T",),
    checked=_is("hide_all"), icon="eye-off",
)  # fmt: skip
def hide_all(context: Context) -> None:
    """Show the picture alone, or its instances again."""
    _turn(context, "hide_all")


@command(
    "view.outline_only", "&Outlines only", menu=_MENU, section="instances", shortcuts=("O",),
    checked=_is("outline_only"), icon="outline",
)  # fmt: skip
def outline_only(context: Context) -> None:
    """Leave the areas of instances clear, or fill them."""
    _turn(context, "outline_only")


@command(
    "view.names", "&Names", menu=_MENU, section="instances", shortcuts=("N",), checked=_is("names"),
    icon="tag",
    hint="Of all instances; proposals always have theirs",
)  # fmt: skip
def names(context: Context) -> None:
    """Show the class of each instance, or of proposals only."""
    _turn(context, "names")


@command(
    "view.more_opaque", "&More opaque", menu=_MENU, section="instances", shortcuts=("Shift+]",),
    repeats=True,
)  # fmt: skip
def more_opaque(context: Context) -> None:
    """Let less of the picture through the instances."""
    _set_opacity(context, context.editor.sight.opacity + _OPACITY)


@command(
    "view.less_opaque", "&Less opaque", menu=_MENU, section="instances", shortcuts=("Shift+[",),
    repeats=True,
)  # fmt: skip
def less_opaque(context: Context) -> None:
    """Let more of the picture through the instances."""
    _set_opacity(context, context.editor.sight.opacity - _OPACITY)


def _set_opacity(context: Context, opacity: float) -> None:
    context.editor.see(replace(context.editor.sight, opacity=round(min(max(opacity, 0.0), 1.0), 2)))


# Picture


@command(
    "view.pixel_grid", "&Pixel grid", menu=_MENU, section="picture", checked=_is("pixel_grid"),
    icon="grid", hint="Seen when zoomed in far",
)  # fmt: skip
def pixel_grid(context: Context) -> None:
    """Show a line between pixels when they are large, or none."""
    _turn(context, "pixel_grid")


command(
    "view.contrast", "&Window and level…", menu=_MENU, section="picture", shortcuts=("Ctrl+L",),
    when=_is_shown, ask=ContrastDialog.open_one, icon="contrast",
    hint="Which samples of 16-bit and floating-point pictures are black and white, for you and for models",
)(nothing)  # fmt: skip


def _is_adjusted(context: Context) -> bool:
    sight, plain = context.editor.sight, Sight()
    return (sight.brightness, sight.contrast, sight.gamma) != (plain.brightness, plain.contrast, plain.gamma)


@command(
    "view.reset_adjustment", "&Reset brightness and contrast", menu=_MENU, section="picture",
    when=_is_adjusted, icon="reset",
)  # fmt: skip
def reset_adjustment(context: Context) -> None:
    """Show the picture's colours as they are."""
    plain = Sight()
    context.editor.see(
        replace(
            context.editor.sight,
            brightness=plain.brightness,
            contrast=plain.contrast,
            gamma=plain.gamma,
        )
    )


# Brush


@command(
    "view.larger_brush", "La&rger brush", menu=("Tools",), section="brush", shortcuts=("]",), repeats=True
)
def larger_brush(context: Context) -> None:
    """Of brush and eraser (Ctrl and the wheel do it too)."""
    context.editor.set_brush_radius(context.editor.brush_radius * _BRUSH)


@command(
    "view.smaller_brush", "S&maller brush", menu=("Tools",), section="brush", shortcuts=("[",), repeats=True
)
def smaller_brush(context: Context) -> None:
    """Of brush and eraser (Ctrl and the wheel do it too)."""
    context.editor.set_brush_radius(context.editor.brush_radius / _BRUSH)
