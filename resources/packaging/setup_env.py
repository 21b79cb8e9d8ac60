"""Make `.venv` and install exactly what `requirements.lock` names; do nothing when that was done.

Run by every Makefile target, or by hand: `python resources/packaging/setup_env.py`. It needs only a
Python with its standard library. Whichever Python runs it, it looks for one that Maskwright
supports, so the syntax stays readable for old ones up to the version check.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "resources" / "packaging" / "requirements.lock"
VENV = ROOT / ".venv"
STAMP = VENV / "maskwright-lock.txt"
OLDEST = (3, 11)
NEEDED_BYTES = 8 * 2**30  # torch with its CUDA libraries takes most of it on Linux
CANDIDATES = ("python3", "python", "python3.14", "python3.13", "python3.12", "python3.11")

# Runs in a candidate: prints its version, or fails where it cannot make an environment with pip.
PROBE = "import ensurepip, sys, venv; print('%d.%d.%d' % sys.version_info[:3])"
PROBE_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


class SetupError(Exception):
    """What a person must do first, in a sentence or two."""


def main() -> int:
    """Set up and say what is done; returns the exit code."""
    try:
        if is_current():
            return 0
        set_up()
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def venv_python() -> Path:
    """The environment's interpreter."""
    return VENV / "Scripts" / "python.exe" if os.name == "nt" else VENV / "bin" / "python"


def lock_hash() -> str:
    """SHA-256 of the lock, in hex; line ends do not count."""
    return hashlib.sha256(LOCK.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def is_current() -> bool:
    """True if the environment holds what the lock names now."""
    return (
        STAMP.is_file()
        and STAMP.read_text(encoding="ascii").strip() == lock_hash()
        and answers(venv_python())
    )


def set_up() -> None:
    """Make the environment where there is none, install the lock and leave the stamp."""
    if not answers(venv_python()):
        python, version = find_python()
        free = shutil.disk_usage(ROOT).free
        if free < NEEDED_BYTES:
            say(f"note: {free / 2**30:.1f} GiB are free here; the environment takes about 7 GiB on Linux")
        say(f"making .venv with Python {version} ({python})")
        run([python, "-m", "venv", "--clear", str(VENV)], "The environment .venv could not be made")
    STAMP.unlink(missing_ok=True)
    count = sum("==" in line for line in LOCK.read_text(encoding="utf-8").splitlines())
    say(f"installing from {LOCK.relative_to(ROOT)}: up to {count} packages, each checked by its SHA-256")
    say("(the first time this downloads torch: up to 3 GB on Linux, 0.3 GB elsewhere)")
    pip = [str(venv_python()), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    run(
        [*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(LOCK)],
        "Installing the packages failed; see pip's words above. Without a network, point pip at a mirror"
        " or a folder of wheels (PIP_INDEX_URL or PIP_FIND_LINKS) and run this again",
    )
    STAMP.write_text(lock_hash() + "\n", encoding="ascii")
    say("done; the environment is .venv")
    tell_missing_libraries()


def find_python() -> tuple[str, str]:
    """A supported interpreter that can make environments: its path and version.

    Raises SetupError that names what to install where there is none.
    """
    lacking = ""
    for candidate in (sys.executable, *(path for name in CANDIDATES if (path := shutil.which(name)))):
        version = ask(candidate, PROBE_VERSION)
        if not version or tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            continue
        if ask(candidate, PROBE):
            return candidate, version
        lacking = lacking or version
    if lacking:
        minor = ".".join(lacking.split(".")[:2])
        raise SetupError(
            f"Python {lacking} cannot make an environment, because its venv and ensurepip modules are a"
            f" package of their own here: sudo apt-get install python{minor}-venv"
        )
    raise SetupError(
        f"Maskwright needs Python 3.11 or newer and this is {platform.python_version()}; install one, such as"
        " 'sudo apt-get install python3 python3-venv' (Debian 12, Ubuntu 24.04 or newer), 'sudo dnf install"
        " python3' (Fedora) or the installer from the Python website, and run this again"
    )


def ask(python: str, program: str) -> str:
    """What a one-line program prints in that interpreter; empty where it fails."""
    try:
        done = subprocess.run(
            [python, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("ascii", "replace").strip()


def answers(python: Path) -> bool:
    """True if the interpreter is there and starts: an environment that was moved does not."""
    return python.is_file() and bool(ask(str(python), PROBE_VERSION))


def run(command: list[str], failure: str) -> None:
    """Run a command with its output shown. Raises SetupError with `failure`."""
    try:
        subprocess.run(command, cwd=ROOT, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"{failure} ({error})") from error


def tell_missing_libraries() -> None:
    """Name the packages that Qt needs and this Linux lacks. The command line works without them."""
    program = (
        "from engine.cli.system_libraries import *; missing = missing_libraries();"
        " print(install_hint(missing) if missing else '')"
    )
    hint = subprocess.run(
        [str(venv_python()), "-c", program], cwd=ROOT, stdout=subprocess.PIPE, check=False, text=True
    ).stdout.strip()
    if hint:
        say(f"note: to open a window, Qt needs system libraries that are missing here: {hint}")


def say(line: str) -> None:
    """A line of our own among pip's."""
    print(f"[maskwright] {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
