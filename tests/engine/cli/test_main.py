"""The command line's start, its errors and its exit codes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest

import main
from engine import __version__, applog
from engine.errors import DataError

ROOT = Path(main.__file__).parent
HEAVY = ("torch", "torchvision", "numpy", "cv2", "PySide6", "rich", "scipy")


def child(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=env,
        check=False,
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Runs `main.py try` with the given body as the command `try`."""
    monkeypatch.setattr(applog, "configure", lambda **_: None)

    def run_body(body: Callable[[], object]) -> int:
        module = ModuleType("engine.cli.for_this_test")
        module.attempt = click.command("attempt")(body)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(main.COMMANDS, "try", f"{module.__name__}:attempt")
        return main.main(["try"])

    return run_body


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_that_the_first_answer_takes_less_than_three_tenths_of_a_second(option: str) -> None:
    """Counted in the process's own time, the interpreter's start included: the machine may be busy."""
    program = f"import sys, time, main; main.main([{option!r}]);print(time.process_time(), file=sys.stderr)"
    seconds = [float(child("-c", program).stderr) for _ in range(8)]
    assert statistics.median(seconds[1:]) < 0.3  # the first run may have compiled the modules


@pytest.mark.parametrize("option", ["--version", "--help", "label --help", "doctor --help"])
def test_that_asking_for_help_imports_nothing_heavy(option: str) -> None:
    program = (
        f"import sys, main; code = main.main({option.split()!r});"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})), code, file=sys.stderr)"
    )
    assert child("-c", program).stderr.strip() == "[] 0"


def test_that_the_version_is_the_engines() -> None:
    assert child("main.py", "--version").stdout == f"Maskwright {__version__}\n"


def test_that_help_lists_every_command_in_order_with_a_line_of_its_own() -> None:
    text = child("main.py", "--help").stdout
    listed = [line.split() for line in text.partition("Commands:\n")[2].splitlines() if line.strip()]
    assert [words[0] for words in listed] == list(main.COMMANDS)
    assert all(len(words) > 2 for words in listed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
@pytest.mark.parametrize("arguments", [[], ["."]])
def test_that_without_a_display_the_window_says_so_and_what_to_do(arguments: list[str]) -> None:
    bare = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    done = child("main.py", *arguments, env=bare)
    assert done.returncode == main.EXIT_FAILED
    (line,) = done.stderr.splitlines()
    assert "display" in line or "missing on this system" in line
    assert "main.py label FOLDER" in line


def test_that_a_display_that_does_not_answer_is_no_crash() -> None:
    done = child("main.py", env={**os.environ, "DISPLAY": ":4321", "QT_QPA_PLATFORM": "xcb"})
    if sys.platform.startswith("linux"):
        assert done.returncode == main.EXIT_FAILED
        assert len(done.stderr.splitlines()) == 1


def test_that_a_path_that_is_not_there_is_told_and_a_misspelt_command_is_none() -> None:
    missing = child("main.py", "no/such folder")
    assert missing.returncode == main.EXIT_FAILED
    assert missing.stderr.strip() == (
        "error: There is no file or folder called no/such folder: check the name."
    )
    assert "No such command 'lable'" in child("main.py", "lable").stderr


def test_that_a_failure_is_one_sentence_on_the_error_stream(
    run: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    def body() -> None:
        raise DataError("train.json names no classes: add one.")

    assert run(body) == 1
    assert capsys.readouterr() == ("", "error: train.json names no classes: add one.\n")


def test_that_ctrl_c_says_stopped(
    run: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    def body() -> None:
        raise KeyboardInterrupt

    assert run(body) == 130
    assert capsys.readouterr().err.strip() == "stopped"


def test_that_a_command_may_set_the_exit_code(run: Callable[[Callable[[], object]], int]) -> None:
    assert run(lambda: click.get_current_context().exit(1)) == 1
    assert run(lambda: None) == 0


def test_that_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["labell"]) == 2
    assert "No such command 'labell'" in capsys.readouterr().err


FAULT = """
import sys, types
from pathlib import Path
import click, main
from engine import applog
applog.log_file = lambda: Path(sys.argv[1])
module = types.ModuleType("fake")
def body():
    raise ZeroDivisionError("by zero,\\nof all things")
module.attempt = click.command()(body)
sys.modules["fake"] = module
main.COMMANDS["try"] = "fake:attempt"
sys.exit(main.main(["--verbose", "try"] if "loud" in sys.argv else ["try"]))
"""


def test_that_an_unexpected_error_shows_a_sentence_and_keeps_the_traceback_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "m.log"
    done = child("-c", FAULT, str(log))
    assert done.returncode == 70
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        "error: Maskwright failed in a way it should not (ZeroDivisionError: by zero,)"
    )
    assert str(log) in done.stderr
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_that_a_drive_that_is_gone_is_no_fault_of_the_program(tmp_path: Path) -> None:
    gone = FAULT.replace('ZeroDivisionError("by zero,\\nof all things")', 'OSError(5, "I/O error", "photos")')
    done = child("-c", gone, str(tmp_path / "m.log"))
    assert done.returncode == 1
    assert (
        done.stderr
        == "error: photos cannot be reached (I/O error): see that its drive is there and try again.\n"
    )


def test_that_a_log_that_cannot_be_written_costs_no_more_than_the_log(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = child("-c", FAULT, str(tmp_path / "file" / "m.log"))
    assert done.returncode == 70
    assert done.stderr.count("\n") == 1
    assert "--verbose" in done.stderr


def test_that_a_fault_before_any_command_is_logged_too(tmp_path: Path) -> None:
    log = tmp_path / "m.log"
    program = FAULT.replace('"fake:attempt"', '"gone:attempt"').replace('["try"]', '["--help"]')
    done = child("-c", program, str(log))
    assert done.returncode == 70
    assert done.stderr.count("\n") == 1
    assert "gone" in log.read_text(encoding="utf-8")


def test_that_verbose_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in child("-c", FAULT, str(tmp_path / "m.log"), "loud").stderr
