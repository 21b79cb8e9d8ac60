"""Model versions in words and figures, for lists and plots. Pure; knows no widget and no store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from gui import counts
from gui.commands.registry import translated
from gui.counts import counted
from gui.panels.version_plot import Point

if TYPE_CHECKING:
    from engine.tuning.versions import Compared, VersionInfo

_MOST_ROWS = 14
_MOST_CLASSES = 12
_BORING = frozenset({"files", "data_sha256", "sha256", "versions", "host"})  # of a card; nobody compares them


def columns(one: VersionInfo) -> tuple[str, ...]:
    """Name, day, parent, images, AP, and the gain with its interval; empty where nothing is known."""
    images = f"{one.images:,}" if one.images else ""
    ap = "" if one.ap is None else f"{one.ap:.3f}"
    return one.name, made(one), one.parent, images, ap, gain(one)


def made(one: VersionInfo) -> str:
    """Day and minute, in the time of this computer."""
    try:
        return datetime.fromisoformat(one.created).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return one.created


def gain(one: VersionInfo) -> str:
    """Such as: +0.041 (+0.010 … +0.070)."""
    verdict = one.verdict
    if verdict is None or verdict.new is None:
        return ""
    mean, low, high = (_signed(one) for one in (verdict.difference, verdict.low, verdict.high))
    return f"{mean} ({low} … {high})"


def _signed(number: float) -> str:
    """With three digits, a minus that is one, and none before nothing."""
    told = f"{number:+.3f}"
    return "0.000" if told.lstrip("+-") == "0.000" else told.replace("-", "−")


def plotted(curve: Sequence[VersionInfo]) -> list[Point]:
    """AP of each with the interval that the gate found for its difference from the model before."""
    points = []
    for one in curve:
        verdict = one.verdict
        if one.ap is None or verdict is None or verdict.old is None:
            continue
        low, high = verdict.old.ap + verdict.low, verdict.old.ap + verdict.high
        told = translated("{}: mask AP {:.3f} on {} held-out images").format(one.name, one.ap, one.held_out)
        points.append(Point(one.name, one.ap, max(min(low, one.ap), 0.0), min(max(high, one.ap), 1.0), told))
    return points


def deleting(one: VersionInfo, listed: Sequence[VersionInfo], previous: str) -> str:
    """What deleting it touches, and what not. previous: the model that the project goes back to."""
    parts = [
        translated(
            "{} ({:,.1f} MB) is removed from this computer with its reports, for every project."
        ).format(one.name, one.size / 1e6)
    ]
    children = sum(other.parent == one.name for other in listed)
    if children:
        stay = counted(
            children,
            translated("The model that was made from it stays."),
            translated("The {} models that were made from it stay."),
        )
        parts.append(stay)
    if one.name == previous:
        parts.append(translated("It is the one that going back would return to."))
    parts.append(translated("Labels are not touched. This cannot be undone: export it first to keep a copy."))
    return " ".join(parts)


def facts(one: VersionInfo) -> str:
    """What is known of it as a small table of rich text."""
    if one.problem:
        return f"<p>{escape(one.problem)}</p>"
    learned = ""
    if one.images:
        learned = counts.images(one.images)
    if one.images and one.instances:
        learned += ", " + counts.instances(one.instances)
    length = ""
    if one.steps:
        length = counted(one.steps, translated("1 step"), translated("{} steps"))
        if one.minutes >= 1:
            length += translated(", {:.0f} min").format(one.minutes)
    ap = ""
    if one.ap is not None:
        ap = translated("{:.3f} on {} held-out images").format(one.ap, one.held_out)
    rows = [
        (translated("Mask AP"), ap),
        (translated("Gain"), gain(one)),
        (translated("Made"), made(one)),
        (translated("From"), one.parent),
        (translated("Project"), one.project),
        (translated("Learned from"), learned),
        (translated("Length"), length),
        (translated("Image side"), f"{one.side} px" if one.side else ""),
        (translated("On the disk"), f"{one.size / 1e6:,.1f} MB"),
        (translated("Knows"), _classes(one.classes)),
    ]
    return _table([row for row in rows if row[1]])


def differences(found: Compared) -> str:
    """What differs between two versions by their cards, as a small table of rich text."""
    first, second = found.first, found.second
    rows: list[tuple[str, ...]] = [("", f"<b>{escape(first.name)}</b>", f"<b>{escape(second.name)}</b>")]
    for name, figures in (
        (translated("Mask AP"), (first.ap, second.ap)),
        (translated("Boundary AP"), (first.boundary_ap, second.boundary_ap)),
    ):
        if figures != (None, None):
            rows.append((name, *(_told(one) for one in figures)))
    for name, values in found.settings.items():
        if name not in _BORING and not any(isinstance(one, dict | list) for one in values):
            rows.append((name.replace("_", " ").removeprefix("recipe: "), *(_told(one) for one in values)))
    for title, names in (
        (translated("Only {} knows").format(first.name), found.only_first),
        (translated("Only {} knows").format(second.name), found.only_second),
    ):
        if names:
            rows.append((title, _classes(names), ""))
    return _table(rows[:_MOST_ROWS], is_html=True)


def _classes(names: Sequence[str]) -> str:
    known = [name for name in names if not name.startswith("unused_")]
    more = len(known) - _MOST_CLASSES
    told = ", ".join(known[:_MOST_CLASSES])
    return told + (translated(" and {} more").format(more) if more > 0 else "")


def _told(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _table(rows: Sequence[tuple[str, ...]], *, is_html: bool = False) -> str:
    lines = []
    for head, *cells in rows:
        told = "".join(f"<td style='padding-right:12px'>{c if is_html else escape(c)}</td>" for c in cells)
        lines.append(f"<tr><td style='padding-right:12px'>{escape(head)}</td>{told}</tr>")
    return f"<table cellspacing='0' cellpadding='2'>{''.join(lines)}</table>"
