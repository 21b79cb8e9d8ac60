"""Build the program that runs without a Python: `make bundle` leaves it in dist/maskwright.

Runs PyInstaller on maskwright.spec, then lays the licence of everything that was shipped beside it, and says
how large it is. Whose a file is comes from PyInstaller's own list of what it took from where: a distribution
that is installed, Python itself, or on Debian a package of the system. A file of nobody is an error.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "resources" / "packaging" / "maskwright.spec"
BUNDLE = ROOT / "dist" / "maskwright"
TAKEN = ROOT / "build" / "maskwright" / "COLLECT-00.toc"
IMPORTED = ROOT / "build" / "maskwright" / "PYZ-00.toc"
LICENCES = "licences"

_LICENCE_NAME = re.compile(r"(licen[cs]e|copying|notice|eula|copyright)", re.IGNORECASE)


class BundleError(Exception):
    """What went wrong, in a sentence."""


def main() -> int:
    """Build, collect the licences, say where it lies; returns the exit code."""
    try:
        build()
        shutil.rmtree(BUNDLE / LICENCES, ignore_errors=True)
        count = collect_licences(taken(), BUNDLE / LICENCES)
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in BUNDLE.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"{BUNDLE.relative_to(ROOT)}: {size / 2**30:.2f} GiB, licences of {count} parts in {LICENCES}")
    return 0


def build() -> None:
    """Run PyInstaller; raises BundleError where it fails."""
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(ROOT / "dist"), "--workpath", str(ROOT / "build"), str(SPEC)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise BundleError("PyInstaller failed; see its words above.")


def taken() -> set[Path]:
    """The files on this machine that the bundle was made of, from PyInstaller's lists."""
    sources: set[Path] = set()
    for file in (TAKEN, IMPORTED):
        if not file.is_file():
            raise BundleError(f"{file} is not there: it is PyInstaller's list of what it took; build again.")
        listed = ast.literal_eval(file.read_text(encoding="utf-8"))
        entries = next(part for part in listed if isinstance(part, list))
        sources |= {
            Path(source) for _, source, kind in entries if kind != "SYMLINK" and Path(source).is_absolute()
        }
    return sources


def collect_licences(sources: set[Path], folder: Path) -> int:
    """Write every part's licence files and a list of the parts into a folder; returns how many there are.

    Raises BundleError that names the files whose owner or whose licence is not known.
    """
    rest = {path for path in sources if not path.is_relative_to(ROOT) or ".venv" in path.parts}
    rows: dict[str, str] = {}
    for distribution in metadata.distributions():
        owned = {Path(str(distribution.locate_file(file))) for file in distribution.files or ()}
        if rest.isdisjoint(owned):
            continue
        rest -= owned
        name = f"{distribution.metadata['Name']}-{distribution.version}"
        rows[name] = _terms(distribution)
        _write(folder / name, _texts(distribution), rows[name])
    rest -= _pythons_own(rest)
    rows[f"Python-{sys.version.split()[0]}"] = "PSF-2.0"
    _write(folder / f"Python-{sys.version.split()[0]}", _python_licence(), "")
    for package, (paths, text) in _system_packages(rest).items():
        rest -= paths
        rows[f"{package} (Debian)"] = "see its copyright file"
        _write(folder / package, [("copyright", text)], "")
    if rest:
        shown = ", ".join(str(path) for path in sorted(rest)[:5])
        raise BundleError(f"{len(rest)} files of the bundle are of nobody whose licence is known: {shown}.")
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE-Maskwright")
    table = [f"{name}: {terms}" for name, terms in sorted(rows.items(), key=lambda row: row[0].lower())]
    (folder / "README.txt").write_text(
        "What this program brings along, and its terms.\n\n" + "\n".join(table) + "\n"
    )
    return len(rows)


def _terms(distribution: metadata.Distribution) -> str:
    about = distribution.metadata
    classified = [
        line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if line.startswith("License")
    ]
    for found in (about.get_all("License-Expression"), classified, about.get_all("License")):
        if found and found[0].strip():
            return " ".join(", ".join(found).split())[:120]
    return "see its files"


def _texts(distribution: metadata.Distribution) -> Iterator[tuple[str, str]]:
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if (
            _LICENCE_NAME.search(file.name)
            and path.suffix not in (".py", ".pyc", ".h", ".so")
            and path.is_file()
        ):
            yield "-".join(file.parts[1:]), path.read_text(encoding="utf-8", errors="replace")


def _write(folder: Path, texts: Iterator[tuple[str, str]] | list[tuple[str, str]], terms: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, text in texts:
        (folder / name).write_text(text, encoding="utf-8")
        count += 1
    if not count:  # a wheel without the text still names its terms
        (folder / "terms.txt").write_text(f"{folder.name} names its licence and brings no text: {terms}\n")


def _pythons_own(paths: set[Path]) -> set[Path]:
    """The files of the standard library and of the interpreter."""
    homes = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    homes |= {Path(sys.base_prefix).resolve(), Path(sys.base_prefix)}
    return {
        path for path in paths if any(path.is_relative_to(home) for home in homes) and home_of_python(path)
    }


def home_of_python(path: Path) -> bool:
    """Whether a file below Python's prefix is Python's: on a system's Python the prefix is everybody's."""
    return "python" in path.as_posix().lower().removeprefix(Path(sys.base_prefix).as_posix().lower())


def _python_licence() -> list[tuple[str, str]]:
    for file in (Path(sysconfig.get_path("stdlib")) / "LICENSE.txt", Path(sys.base_prefix) / "LICENSE.txt"):
        if file.is_file():
            return [("LICENSE.txt", file.read_text(encoding="utf-8"))]
    return [("copyright", sys.copyright + "\n")]


def _system_packages(paths: set[Path]) -> dict[str, tuple[set[Path], str]]:
    """Debian's packages of some files: the files and the copyright text of each."""
    packages: dict[str, tuple[set[Path], str]] = {}
    if shutil.which("dpkg-query") is None:
        return packages
    for path in paths:
        # A library's real name, and where it lay before /lib and /usr/lib were one.
        real = path.resolve()
        for place in dict.fromkeys((path, real, Path(str(real).removeprefix("/usr")), Path(f"/usr{real}"))):
            asked = subprocess.run(
                ["dpkg-query", "-S", str(place)], capture_output=True, text=True, check=False
            )
            if asked.returncode == 0:
                package = asked.stdout.split(":")[0]
                about = Path("/usr/share/doc") / package / "copyright"
                if about.is_file():
                    text = about.read_text(encoding="utf-8", errors="replace")
                    packages.setdefault(package, (set(), text))[0].add(path)
                break
    return packages


if __name__ == "__main__":
    sys.exit(main())
