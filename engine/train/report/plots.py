"""Draws precision-recall curves and confusion matrices as PNG, for light and dark screens.

The only module that imports matplotlib: by its objects, never pyplot, which keeps figures for windows.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from engine.train.confusion import Confusion
from engine.train.scores import IOU_50, IOU_75, Curve

DPI = 144
MOST_NAMED = 10
"""Curves that get a colour and a name each; more are drawn alike."""

MOST_SHOWN = 30
"""Classes in a confusion matrix; of more, those with the most mistakes."""

# Okabe and Ito's colours, which colour-blind people tell apart, without the black and the yellow.
COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#7f6ad4",
    "#8c6d31",
    "#a3a3a3",
    "#c2185b",
)

# Families that hold what the first one lacks; matplotlib takes each letter from the first that has it.
FAMILIES = (
    "DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of a drawing: paper, text, lesser text, lines, and those of all right and all wrong."""

    paper: str
    text: str
    soft: str
    line: str
    right: str
    wrong: str


LIGHT = Ink("#ffffff", "#1c1d20", "#5c6068", "#e0e0da", "#0b6b53", "#b3400a")
DARK = Ink("#1d1f23", "#e9e9e6", "#a0a4ac", "#34373d", "#4cc9a4", "#ff9259")


@dataclass(frozen=True, slots=True)
class Line:
    """A curve (IoU x recall, precision 0..1) with its name; the main one is drawn over the others."""

    name: str
    curve: NDArray[np.float64]
    main: bool = False


def class_lines(names: Sequence[str], curve: Curve) -> list[Line]:
    """A line for each class that the truth holds, and their mean where they are several."""
    known = [k for k in range(len(names)) if curve[0, 0, k] > -1]
    lines = [Line(names[k], curve[:, :, k]) for k in known]
    return [*lines, mean_line("mean", curve)] if len(lines) > 1 else lines


def mean_line(name: str, curve: Curve, *, main: bool = True) -> Line:
    """The mean over the classes that the truth holds, of which there is one at least."""
    return Line(name, curve[:, :, curve[0, 0] > -1].mean(axis=2), main)


def precision_recall(lines: Sequence[Line], ink: Ink) -> bytes:
    """Two drawings side by side, at IoU 0.5 and 0.75, each naming its lines with their AP there. PNG."""
    named = len([line for line in lines if not line.main]) <= MOST_NAMED
    figure = Figure(figsize=(9.4, 4.4 + 0.19 * (len(lines) if named else 2)), dpi=DPI, layout="constrained")
    figure.set_facecolor(ink.paper)
    sides: Sequence[Axes] = figure.subplots(1, 2)
    for side, at, title in zip(sides, (IOU_50, IOU_75), ("IoU 0.50", "IoU 0.75"), strict=True):
        _style(side, ink)
        side.set_title(f"at {title}", loc="left", fontsize=10.5, color=ink.text, fontweight="bold")
        for number, line in enumerate(lines):
            color = ink.text if line.main else COLORS[number % len(COLORS)] if named else ink.soft
            width, alpha = (2.4, 1.0) if line.main else (1.6, 1.0) if named else (0.8, 0.5)
            precision = line.curve[at]
            end = int(np.flatnonzero(precision).max(initial=-1)) + 2  # one step of nothing, not all
            recall = np.linspace(0.0, 1.0, len(precision))
            side.plot(recall[:end], precision[:end], color=color, linewidth=width, alpha=alpha)
        shown = [n for n, line in enumerate(lines) if named or line.main]
        # The figure first: matplotlib leaves labels that begin with a _ out.
        labels = [f"{lines[n].curve[at].mean():.3f}   {_short(lines[n].name)}" for n in shown]
        legend = side.legend(
            [side.get_lines()[n] for n in shown], labels, loc="upper left", bbox_to_anchor=(0.0, -0.16),
            frameon=False, fontsize=9, labelcolor=ink.text, title="AP", title_fontsize=8.5, alignment="left",
            borderaxespad=0.0, handlelength=1.4,
        )  # fmt: skip
        legend.get_title().set_color(ink.soft)
    return _png(figure)


def confusion_matrix(confusion: Confusion, ink: Ink) -> bytes:
    """The table as a picture: a count in each cell, by colour the share of what is truly so. PNG.

    Of what is truly nothing there is no share: there the colour tells that of what was found as the class.
    """
    shown = _most_mistaken(confusion)
    names, count = [confusion.classes[k] for k in shown], len(shown)
    cells = np.ix_([*shown, -1], [*shown, -1])
    table, shares = confusion.table[cells], confusion.shares[cells]
    side = 1.5 + (0.62 if count < 15 else 0.4) * (count + 1)
    figure = Figure(figsize=(side + 0.9, side + 0.2), dpi=DPI, layout="constrained")
    figure.set_facecolor(ink.paper)
    axes = figure.subplots()
    diagonal = np.eye(count + 1, dtype=np.bool_)
    for color, where in ((ink.right, diagonal), (ink.wrong, ~diagonal)):
        scale = LinearSegmentedColormap.from_list("share", [ink.paper, color])
        axes.pcolormesh(
            np.where(where, shares, np.nan), cmap=scale, vmin=0, vmax=1, edgecolors=ink.line, linewidth=0.6
        )
    for row, column in np.argwhere(table):
        dark = shares[row, column] > 0.55
        axes.text(
            column + 0.5, row + 0.5, f"{table[row, column]:,}", ha="center", va="center",
            fontsize=9 if count < 15 else 6.5, color=ink.paper if dark else ink.text,
        )  # fmt: skip
    for edge in (axes.axhline, axes.axvline):  # what is no class stands apart
        edge(count, color=ink.soft, linewidth=1.2)
    ticks = np.arange(count + 1) + 0.5
    axes.set_xticks(ticks, [*map(_short, names), "missed"], rotation=45, ha="left", rotation_mode="anchor")
    axes.set_yticks(ticks, [*map(_short, names), "nothing"])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("found as", color=ink.soft, fontsize=9.5)
    axes.set_ylabel("truly", color=ink.soft, fontsize=9.5)
    axes.tick_params(length=0, labelsize=9 if count < 15 else 7, colors=ink.text)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.spines[:].set_color(ink.line)
    return _png(figure)


def _most_mistaken(confusion: Confusion) -> list[int]:
    """The classes that occur, as indices; where they are many, those with the most mistakes."""
    table, count = confusion.table, len(confusion.classes)
    of_class = table[:count].sum(axis=1) + table[:, :count].sum(axis=0)
    mistaken = of_class - 2 * table.diagonal()[:count]
    order = sorted(range(count), key=lambda k: -mistaken[k])[:MOST_SHOWN]
    return sorted(k for k in order if of_class[k])


def _style(axes: Axes, ink: Ink) -> None:
    axes.set_facecolor(ink.paper)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.03)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel("recall: share of the objects that is found", color=ink.soft, fontsize=9.5)
    axes.set_ylabel("precision: share that is right", color=ink.soft, fontsize=9.5)
    axes.grid(color=ink.line, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9, colors=ink.soft)
    axes.spines[:].set_visible(False)


def _png(figure: Figure) -> bytes:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)  # a class may be called "$5"
        text.set_fontfamily([family for family in FAMILIES if family in installed])
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that no font here has is drawn as a box; the page's own tables show it right.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(stream, format="png", facecolor=figure.get_facecolor())
    return stream.getvalue()


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"
