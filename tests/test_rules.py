"""The rules of the project that no other tool checks: sizes, dependencies, safety, what is committed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "resources" / "packaging" / "requirements.lock"
LONGEST_FILE, LONGEST_FUNCTION = 600, 60
BINARY_BYTES = 25 * 2**20

# Written in parts, so that this file passes its own tests.
INDEX_HOSTS = tuple(
    "".join(parts) for parts in (("py", "pi.org"), ("files.python", "hosted"), ("pytorch.org", "/whl"))
)
MACHINE_PATH = re.compile("(?<![A-Za-z0-9_.*-])/" + "(?:work|root|opt/wheels)/")

MAY_IMPORT_TORCH = ("models", "predict", "train", "device", "worker", "jobs")


@cache
def files() -> tuple[Path, ...]:
    """Every file that is committed or about to be."""
    if not (ROOT / ".git").exists():
        pytest.skip("the rules on committed files need the git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    return tuple(path for name in sorted(set(listed.split("\0"))) if name and (path := ROOT / name).is_file())


def sources() -> tuple[Path, ...]:
    return tuple(path for path in files() if path.suffix == ".py")


def program() -> tuple[Path, ...]:
    """The sources that people run, without the tests."""
    return tuple(path for path in sources() if path.relative_to(ROOT).parts[0] != "tests")


def is_binary(path: Path) -> bool:
    with path.open("rb") as stream:
        return b"\0" in stream.read(8192)


def named(path: Path, line: int | None = None) -> str:
    return path.relative_to(ROOT).as_posix() + (f":{line}" if line else "")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call with what is called, such as `torch.load`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that is imported, by its full name, and the line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def long_functions(source: str) -> list[tuple[str, int]]:
    """Functions over the limit that give no reason: name and line."""
    lines = source.splitlines()
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        head = lines[max(0, first - 2) : node.body[0].lineno]
        if length > LONGEST_FUNCTION and not any("# long: " in line for line in head):
            found.append((node.name, node.lineno))
    return found


def test_that_no_file_is_over_600_lines() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_that_no_function_is_over_60_lines_without_a_reason() -> None:
    found = [
        f"{named(path, line)} {name}"
        for path in sources()
        for name, line in long_functions(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_that_a_long_function_is_noticed_unless_it_gives_its_reason() -> None:
    body = "    pass\n" * LONGEST_FUNCTION
    assert long_functions(f"def f():\n{body}") == [("f", 1)]
    assert long_functions(f"class A:\n    def f(self):\n{body.replace('    ', ' ' * 8)}") == [("f", 2)]
    assert long_functions(f"# long: it is one table\n@wraps\ndef f():\n{body}") == []
    assert long_functions(f"def f():  # long: it is one table\n{body}") == []


def test_that_the_only_opencv_is_the_headless_one() -> None:
    """The others bring Qt 5 plug-ins that break PySide6, or overwrite the same cv2."""
    installed = {
        canonicalize_name(d.metadata["Name"]) for d in metadata.distributions() if d.metadata["Name"]
    }
    locked = {requirement.name for requirement in lock()}
    for names in (installed, locked):
        assert {name for name in names if name.startswith("opencv")} == {"opencv-python-headless"}


def lock() -> list[Requirement]:
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    return [Requirement(line.partition("--hash")[0].strip()) for line in text.splitlines() if line.strip()]


def test_that_the_qt_that_aborts_on_python_3_11_is_excluded_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [Requirement(line) for line in project["project"]["dependencies"]]
    here = {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"}
    for requirements in (declared, lock()):
        for python in ("3.11", "3.12", "3.13"):
            environment = {**here, "python_version": python, "python_full_version": f"{python}.4"}
            applying = [r for r in requirements if not r.marker or r.marker.evaluate(environment)]
            qt = [r for r in applying if canonicalize_name(r.name) == "pyside6-essentials"]
            assert len(qt) == 1
            if python == "3.11":
                assert not qt[0].specifier.contains("6.12.0")


def test_that_the_lock_pins_every_package_by_hash_and_names_no_index() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(
        r"^\s*(-|--(index|extra|find|trusted))", text.replace("    --hash", "hash"), re.MULTILINE
    )
    entries = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    assert len(entries) > 30
    assert [line[:60] for line in entries if "==" not in line or "--hash=sha256:" not in line] == []


def test_that_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        Requirement(line) for line in project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    ]
    pins = {canonicalize_name(r.name): next(iter(r.specifier)).version for r in reversed(lock())}
    environment = {"python_version": "3.11"}
    unmet = [
        str(r) for r in wanted
        if (not r.marker or r.marker.evaluate(environment))
        and not r.specifier.contains(pins.get(canonicalize_name(r.name), "0"))
    ]  # fmt: skip
    assert unmet == [], "run `make lock`"


def test_that_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    found = []
    for path in files():
        if is_binary(path):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{named(path)}: {host}" for host in INDEX_HOSTS if host in text]
        found += [
            f"{named(path, text.count(chr(10), 0, match.start()) + 1)}: {match.group()}"
            for match in MACHINE_PATH.finditer(text)
        ]
    assert found == []


def test_that_torch_load_executes_nothing() -> None:
    found = [
        named(path, call.lineno)
        for path in sources()
        for function, call in calls(path)
        if function == "torch.load"
        and not any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in call.keywords)
    ]
    assert found == []


def unpickling(path: Path) -> Iterator[str]:
    """Where a source could execute what it reads. Naming pickle's errors is no harm."""
    for name, line in imports(path):
        if name.split(".")[0] in ("_pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"):
            yield f"{named(path, line)} imports {name}"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module == "pickle":
            yield f"{named(path, node.lineno)} imports from pickle"
        if (
            isinstance(node, ast.Attribute)
            and ast.unparse(node.value) == "pickle"
            and not node.attr.endswith("Error")
        ):
            yield f"{named(path, node.lineno)} uses pickle.{node.attr}"
    for function, call in calls(path):
        if function in ("torch.jit.load", "torch.hub.load", "eval", "exec") or any(
            k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in call.keywords
        ):
            yield f"{named(path, call.lineno)} calls {function}"


def test_that_nothing_in_the_program_unpickles() -> None:
    assert [found for path in program() for found in unpickling(path)] == []


def test_that_committed_binaries_stay_small() -> None:
    sizes = {named(path): path.stat().st_size for path in files() if is_binary(path)}
    assert sum(sizes.values()) <= BINARY_BYTES, sizes


def test_that_the_import_contract_lets_torch_in_where_the_design_does_and_nowhere_else() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    torch = next(
        c for c in contracts if "torch" in c["forbidden_modules"] and c.get("allow_indirect_imports")
    )
    assert torch["source_modules"] == ["engine", "gui"]
    assert torch["ignore_imports"] == [
        f"engine.{name}.** -> *" if (ROOT / "engine" / name).is_dir() else f"engine.{name} -> *"
        for name in MAY_IMPORT_TORCH
    ]


def test_that_importing_what_needs_no_torch_imports_neither_torch_nor_qt() -> None:
    """The contracts read imports; this runs them, with what the packages' __init__ files bring along.

    What the command line imports, and when, tests/engine/cli/test_main.py says.
    """
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in program()
        if path.relative_to(ROOT).parts[0] == "engine"
        and path.relative_to(ROOT).with_suffix("").parts[1] not in (*MAY_IMPORT_TORCH, "cli")
        and path.name != "__init__.py"
    ]
    assert len(modules) > 10
    script = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted({'torch', 'torchvision', 'PySide6'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_that_the_links_of_the_documents_lead_somewhere() -> None:
    links = [
        (path, link)
        for path in files()
        if path.suffix == ".md"
        for link in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
        if "://" not in link
    ]
    assert links
    assert [f"{named(path)}: {link}" for path, link in links if not (path.parent / link).exists()] == []
