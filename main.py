"""Where Maskwright starts: the window, the command line, its errors and its exit codes.

Without a command the window opens, on the folder or files that are named. Every command lives in a
file of its own under `engine/cli` and is imported only when it is run or listed, so that `--version`
and `--help` answer without torch, numpy or Qt. This module knows the commands' names and nothing of
what they do.

Exit codes: 0 done, 1 a failure told in one sentence, 2 wrong arguments, 70 a fault in Maskwright
itself (its traceback is in the log), 130 stopped with Ctrl+C.
"""

from __future__ import annotations

import importlib
import io
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from engine import __version__
from engine.errors import MaskwrightError

if TYPE_CHECKING:
    from engine.media.live import Source
    from gui.main_window import MainWindow
    from gui.settings import Settings

EXIT_FAILED, EXIT_FAULT, EXIT_STOPPED = 1, 70, 130


COMMANDS = {  # name -> the module and the name in it, in the order that help lists them
    "label": "engine.cli.label:label",
    "train": "engine.cli.train:train",
    "eval": "engine.cli.eval:evaluate",
    "measure": "engine.cli.measure:measure",
    "contrast": "engine.cli.contrast:contrast",
    "camera": ":camera",  # here, since nothing under `engine` knows the window
    "import": "engine.cli.import_:import_labels",
    "merge": "engine.cli.merge:merge",
    "upgrade": "engine.cli.upgrade:upgrade",
    "export": "engine.cli.export:export_labels",
    "mirror": "engine.cli.mirror:mirror",
    "formats": "engine.cli.export:list_formats",
    "models": "engine.cli.models:models",
    "doctor": "engine.cli.doctor:doctor",
    "demo": "engine.cli.demo:demo",
}
HIDDEN = {"train-process": "engine.cli.train:train_process"}  # the program's own, see engine.train.process


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, imported now; None for an unknown name."""
        place = COMMANDS.get(cmd_name) or HIDDEN.get(cmd_name)
        if place is None:
            return None
        module, name = place.split(":")
        found = getattr(importlib.import_module(module), name) if module else globals()[name]
        return cast(click.Command, found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A command by its name, or the window for what is a path."""
        if args[0] not in COMMANDS and (Path(args[0]).exists() or len(Path(args[0]).parts) > 1):
            return "window", window, args
        return super().resolve_command(ctx, args)


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def window(paths: tuple[Path, ...]) -> int:
    """Open the window on a folder or on files."""
    return open_window(paths)


@click.command()
@click.argument("source")
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--check", is_flag=True, help="Only see whether it sends pictures, without a window.")
def camera(source: str, folder: Path | None, check: bool) -> int:
    """Open the window on a camera: a webcam's number, an rtsp:// or http:// address, or a video file.

    Snapshots go into FOLDER as new pictures. A password in the address is shown and logged nowhere.
    """
    from engine.cli.camera import check_camera
    from engine.media.live import source_of

    wanted = source_of(source)
    return check_camera(wanted) if check else open_window([folder] if folder else [], wanted)


def open_window(paths: Sequence[Path], camera: Source | None = None) -> int:
    """Open the window and return when it is closed. Raises MaskwrightError where none can open."""
    from engine.cli.display import check_display

    for path in paths:
        if not path.exists():
            raise MaskwrightError(f"There is no file or folder called {path}: check the name.")
    check_display()
    # Python answers Ctrl+C with an exception, which Qt's imports abort at or swallow. Nothing is open yet.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from gui.app import run

        return run(lambda settings: _make_window(settings, camera), paths)
    finally:
        signal.signal(signal.SIGINT, before)


def _make_window(settings: Settings, camera: Source | None) -> MainWindow:
    from gui.main_window import MainWindow  # half a second, behind the splash

    made = MainWindow(settings)
    if camera is not None:
        made.live.open(camera)
    return made


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    subcommand_metavar="[FOLDER|FILE... | COMMAND [ARGS]...]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="Maskwright", message="%(prog)s %(version)s")
@click.option("--verbose", is_flag=True, help="Say on the error stream what is being done.")
@click.pass_context
def cli(ctx: click.Context, verbose: bool) -> int | None:
    """Maskwright labels pictures with instance masks, learns from the labels and measures itself.

    Without a command it opens its window, on FOLDER or FILE where one is named.
    """
    from engine import applog

    applog.configure(verbose=verbose)
    return open_window(()) if ctx.invoked_subcommand is None else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process by default) and return the exit code."""
    _make_streams_safe()
    try:
        result = cli.main(args=arguments, prog_name="main.py", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return EXIT_STOPPED
    except MaskwrightError as error:
        click.echo(f"error: {error}", err=True)
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the edge of the process: nobody is shown a traceback
        from engine import applog

        click.echo(f"error: {applog.record_fault(error)}", err=True)
        return EXIT_FAILED if applog.out_of_reach(error) else EXIT_FAULT
    return result if isinstance(result, int) else 0


def _make_streams_safe() -> None:
    """Let any file name be printed: UTF-8 on Windows, and no error for bytes that are no text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = "utf-8" if sys.platform == "win32" else None
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


if __name__ == "__main__":
    import multiprocessing

    multiprocessing.freeze_support()
    sys.exit(main())
