"""The set-up script, with the interpreters, pip and the lock it meets told by the tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def setup_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, at work in a temporary folder with a lock of one package."""
    spec = importlib.util.spec_from_file_location(
        "setup_env", ROOT / "resources" / "packaging" / "setup_env.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lock = tmp_path / "requirements.lock"
    lock.write_text("thing==1.0 --hash=sha256:00\n", encoding="utf-8")
    for name, value in {
        "ROOT": tmp_path,
        "LOCK": lock,
        "VENV": tmp_path / ".venv",
        "STAMP": tmp_path / ".venv" / "stamp.txt",
        "tell_missing_libraries": lambda: None,
    }.items():
        monkeypatch.setattr(module, name, value)
    return module


@pytest.fixture
def commands(setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the script would run; making the environment puts an interpreter there that answers."""
    ran: list[list[str]] = []

    def run(command: list[str], failure: str) -> None:
        ran.append(command)
        setup_env.venv_python().parent.mkdir(parents=True, exist_ok=True)
        setup_env.venv_python().touch()

    monkeypatch.setattr(setup_env, "run", run)
    monkeypatch.setattr(setup_env, "answers", lambda python: python.is_file())
    return ran


def machine_with(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch, pythons: Mapping[str, tuple[str, bool]]
) -> None:
    """Interpreters by path: their version, and whether they can make environments. The first is run."""
    monkeypatch.setattr(sys, "executable", next(iter(pythons)))
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: name if name in pythons else None)

    def ask(python: str, program: str) -> str:
        version, has_venv = pythons.get(python, ("", False))
        return version if has_venv or program == setup_env.PROBE_VERSION else ""

    monkeypatch.setattr(setup_env, "ask", ask)


def test_that_the_lock_is_installed_once_and_again_only_when_it_changes(
    setup_env: ModuleType, commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup_env.main() == 0
    venv, pip = commands
    assert venv[1:3] == ["-m", "venv"]
    assert {"--require-hashes", "--no-deps", "-r", str(setup_env.LOCK)} <= set(pip)
    assert "making .venv with Python 3" in capsys.readouterr().out

    assert setup_env.main() == 0
    assert len(commands) == 2
    assert capsys.readouterr().out == ""

    setup_env.LOCK.write_text("thing==2.0 --hash=sha256:00\n", encoding="utf-8")
    assert setup_env.main() == 0
    assert len(commands) == 3
    assert "install" in commands[-1]


def test_that_an_environment_that_does_not_start_is_made_anew(
    setup_env: ModuleType, commands: list[list[str]]
) -> None:
    setup_env.main()
    setup_env.venv_python().unlink()  # as after moving the checkout
    setup_env.main()
    assert "--clear" in commands[2]
    assert "install" in commands[3]


def test_that_a_failed_install_leaves_no_stamp_and_says_what_to_do(
    setup_env: ModuleType,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    setup_env.main()
    setup_env.LOCK.write_text("thing==2.0 --hash=sha256:00\n", encoding="utf-8")

    def run(command: list[str], failure: str) -> None:
        raise setup_env.SetupError(failure)

    monkeypatch.setattr(setup_env, "run", run)
    assert setup_env.main() == 1
    assert "error: Installing the packages failed" in capsys.readouterr().err
    assert not setup_env.is_current()
    assert not setup_env.STAMP.exists()


def test_that_the_line_ends_of_a_checkout_do_not_change_the_lock(setup_env: ModuleType) -> None:
    before = setup_env.lock_hash()
    setup_env.LOCK.write_bytes(setup_env.LOCK.read_bytes().replace(b"\n", b"\r\n"))
    assert setup_env.lock_hash() == before


def test_that_an_old_python_finds_a_newer_one_beside_it(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(setup_env, monkeypatch, {"old": ("3.9.2", True), "python3.12": ("3.12.1", True)})
    assert setup_env.find_python() == ("python3.12", "3.12.1")


def test_that_a_python_without_venv_is_passed_over_for_one_that_has_it(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_with(setup_env, monkeypatch, {"bare": ("3.11.2", False), "python3.13": ("3.13.0", True)})
    assert setup_env.find_python() == ("python3.13", "3.13.0")


def test_that_a_missing_venv_module_names_its_package(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine_with(setup_env, monkeypatch, {"bare": ("3.11.2", False)})
    assert setup_env.main() == 1
    assert "sudo apt-get install python3.11-venv" in capsys.readouterr().err


def test_that_too_old_a_python_alone_says_what_to_install(
    setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine_with(setup_env, monkeypatch, {"old": ("3.9.2", True)})
    assert setup_env.main() == 1
    assert "needs Python 3.11 or newer" in capsys.readouterr().err


def test_that_interpreters_are_really_asked(setup_env: ModuleType) -> None:
    assert setup_env.ask(sys.executable, setup_env.PROBE_VERSION) == "{}.{}.{}".format(*sys.version_info[:3])
    assert setup_env.ask(sys.executable, "raise SystemExit(1)") == ""
    assert setup_env.ask("no-such-python", setup_env.PROBE_VERSION) == ""


def test_that_a_command_that_fails_becomes_a_sentence(setup_env: ModuleType) -> None:
    with pytest.raises(setup_env.SetupError, match="It could not be made"):
        setup_env.run([sys.executable, "-c", "raise SystemExit(3)"], "It could not be made")


def test_that_the_missing_libraries_are_told_by_the_environments_own_python() -> None:
    """In this checkout, whose environment runs these tests: no failure whatever is missing."""
    program = "import runpy; runpy.run_path('resources/packaging/setup_env.py')['tell_missing_libraries']()"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "" or "[maskwright] note: to open a window, Qt needs" in done.stdout
