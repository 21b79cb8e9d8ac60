"""`mirror`: label files beside the pictures of a project, kept as the project has them."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("project", type=click.Path(path_type=Path), metavar="PROJECT")
@click.option(
    "--format", "kind", type=click.Choice(["labelme", "coco", "off"]), help="What is kept from now on."
)
@click.option("--overwrite", is_flag=True, help="Replace label files that others wrote, or changed since.")
def mirror(project: Path, *, kind: str | None, overwrite: bool) -> int:
    """Bring the label files beside the pictures up to date, for labels in git.

    labelme writes a file beside each picture, coco one annotations.json. The window does the same after each
    edit. A file that was not written here, or was changed since, is left alone and named.
    """
    from engine.cli.console import say
    from engine.errors import DataError
    from engine.exchange.importing import home_of
    from engine.exchange.mirror import MirrorKind, Pass, choose_mirror, mirror_kind
    from engine.project import Project

    if not project.is_dir():
        raise DataError(f"There is no folder called {project}: check the name.")
    with Project.open(home_of(project.absolute())) as opened:
        if opened.read_only:
            raise DataError(opened.read_only_reason)
        if kind is not None:
            choose_mirror(opened, MirrorKind.OFF if kind == "off" else MirrorKind(kind))
        if mirror_kind(opened) is MirrorKind.OFF:
            say("No label files are kept beside the pictures (--format labelme or coco keeps some).")
            return 0
        outcome = Pass(opened).run()
        if overwrite and outcome.conflicts:
            again = Pass(opened, outcome.conflicts).run()
            again.written += outcome.written
            outcome = again
    say(f"{outcome.written:,} label files written, {outcome.removed:,} removed in {opened.folder}")
    if outcome.sentence:
        say(f"warning: {outcome.sentence}")
    return 1 if outcome.problem or outcome.conflicts else 0
