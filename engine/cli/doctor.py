"""`doctor`: which device is used and why, what is installed and what is missing.

Prints what `engine.cli.checkup` finds, and knows nothing of how it is found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.cli.checkup import Finding


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say which device is used and why, and what is missing. Exits with 1 if something is broken."""
    from engine.cli.checkup import State, check_up

    found = tuple(check_up())
    sound = all(finding.state is not State.BROKEN for finding in found)
    click.echo(as_data(found, sound=sound) if as_json else as_text(found, sound=sound))
    ctx.exit(0 if sound else 1)


def as_data(found: Sequence[Finding], *, sound: bool) -> str:
    """The findings as JSON: `ok`, and for each its section, name, value, state and remedy."""
    lines = [
        {"section": f.section, "name": f.name, "value": f.value, "state": f.state, "remedy": f.remedy}
        for f in found
    ]
    return json.dumps({"ok": sound, "findings": lines}, indent=2, ensure_ascii=False)


def as_text(found: Sequence[Finding], *, sound: bool) -> str:
    """The findings aligned under their sections, with a mark and, below it, the remedy."""
    from engine.cli.checkup import State

    marks = {State.OK: "ok     ", State.NOTE: "note   ", State.BROKEN: "BROKEN "}
    width = max((len(f.name) for f in found), default=0)
    lines: list[str] = []
    section = ""
    for finding in found:
        if finding.section != section:
            section = finding.section
            lines.append(f"{section}" if not lines else f"\n{section}")
        lines.append(f"  {marks[finding.state]} {finding.name:<{width}}  {finding.value}")
        if finding.remedy:
            lines.append(f"  {'':7} {'':{width}}  -> {finding.remedy}")
    notes = sum(f.state is State.NOTE for f in found)
    broken = sum(f.state is State.BROKEN for f in found)
    if sound:
        verdict = "Maskwright can work here" + (
            f"; mind the {'note' if notes == 1 else 'notes'} above." if notes else "."
        )
    else:
        verdict = f"{broken} broken: Maskwright cannot work here before that is mended."
    return "\n".join([*lines, "", verdict])
