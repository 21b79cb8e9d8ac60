"""`doctor` on a sound machine and on ones where something is amiss."""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

import main
from engine import applog, device
from engine.cli import checkup, system_libraries
from engine.cli.checkup import State
from engine.cli.system_libraries import LIBRARIES, install_hint, missing_libraries


@pytest.fixture(autouse=True)
def _quick_and_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the user's folders out of it and measure nothing."""
    monkeypatch.setattr(applog, "configure", lambda **_: None)
    monkeypatch.setattr(device, "number_format", lambda *_, **__: device.PLAIN)
    monkeypatch.setattr(device, "use_threads", lambda **_: 2)
    monkeypatch.setattr(checkup, "missing_libraries", lambda: ())
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))


def without(monkeypatch: pytest.MonkeyPatch, *names: str, extra: tuple[str, ...] = ()) -> None:
    """Make it look as if these distributions were not installed, and the extra ones were."""
    real = metadata.version

    def version(name: str) -> str:
        if name in extra:
            return "4.0"
        if name in names:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)


def report(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code of `doctor --json` and its findings by name."""
    code = main.main(["doctor", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] == (code == 0)
    return code, {finding["name"]: finding for finding in answer["findings"]}


def test_that_a_sound_machine_passes_and_the_device_comes_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, found = report(capsys)
    assert code == 0
    assert found["used"]["value"] == device.choose_device().reason
    for name in ("Maskwright", "Python", "torch", "torchvision", "OpenCV", "Qt", "threads", "memory", "disk"):
        assert found[name]["value"]
    assert found["number format"]["value"] == device.PLAIN.reason
    assert found["other OpenCV"]["state"] == "ok"


def test_that_the_report_is_aligned_and_ends_with_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    values = [line for line in lines if line.startswith("  ok ")]
    column = values[0].index("0.1.0")
    assert len(values) > 10
    assert all(line[column - 1] == " " and line[column] != " " for line in values)
    assert lines[-1].startswith("Maskwright can work here")


@pytest.mark.parametrize("name", ["opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"])
def test_that_another_opencv_is_broken_and_told_how_to_remove(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    without(monkeypatch, extra=(name,))
    code, found = report(capsys)
    assert code == 1
    assert found["other OpenCV"]["state"] == "broken"
    assert f"pip uninstall {name}" in found["other OpenCV"]["remedy"]


def test_that_a_missing_package_is_broken_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "shapely", "av")
    code, found = report(capsys)
    assert code == 1
    assert found["packages"]["value"] == "missing: av, shapely"
    assert "setup_env.py" in found["packages"]["remedy"]


def test_that_missing_qt_is_only_noted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "PySide6-Essentials")
    code, found = report(capsys)
    assert code == 0
    assert found["Qt"]["state"] == "note"


def test_that_a_torchvision_of_another_torch_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = importlib.import_module

    def import_module(name: str, package: str | None = None) -> object:
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist\nand more")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", import_module)
    findings = [f for f in checkup.check_up() if f.state is State.BROKEN]
    assert [(f.name, f.value) for f in findings] == [
        ("torchvision", "cannot be imported: operator torchvision::nms does not exist")
    ]


def test_that_missing_system_libraries_name_the_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkup, "missing_libraries", lambda: (LIBRARIES[0],))
    code, found = report(capsys)
    assert code == 0  # the command line needs no Qt
    assert LIBRARIES[0].name in found["Qt's libraries"]["value"]
    assert "only Qt needs them" in found["Qt's libraries"]["remedy"]


def test_that_models_are_listed_and_damaged_ones_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "spoilt.safetensors").write_bytes(b"no model")
    code, found = report(capsys)
    assert code == 0
    assert found["folder"]["value"] == str(models)
    assert found["spoilt"]["state"] == "note"
    assert found["spoilt"]["remedy"] == "python main.py models remove spoilt"


def test_that_a_folder_that_cannot_be_written_is_noted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(**_: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    _, found = report(capsys)
    assert "cannot be written (Permission denied)" in found["log"]["remedy"]
    assert found["log"]["state"] == "note"


def test_that_doctor_makes_no_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report(capsys)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("tool", "hint"),
    [
        ("apt-get", "sudo apt-get install libegl1 libgl1"),
        ("dnf", "sudo dnf install libglvnd-egl libglvnd-glx"),
        ("", "install libegl1 libgl1 (Debian, Ubuntu) or libglvnd-egl libglvnd-glx (Fedora)"),
    ],
)
def test_that_the_hint_suits_the_systems_package_tool(tool: str, hint: str) -> None:
    which: Callable[[str], str | None] = {tool: "there"}.get
    assert install_hint(LIBRARIES[:2], which=which).startswith(hint)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux leaves libraries to the system")
def test_that_only_libraries_that_do_not_load_are_missing() -> None:
    assert missing_libraries(found=lambda _: True) == ()
    assert missing_libraries(found=lambda name: name != "libGL.so.1") == (LIBRARIES[1],)
    assert system_libraries.loads("libc.so.6")
    assert not system_libraries.loads("libnothing-of-that-name.so.1")


def test_that_a_package_is_named_once() -> None:
    of_libxcb = [library for library in LIBRARIES if library.dnf == "libxcb"]
    assert len(of_libxcb) > 1
    assert install_hint(of_libxcb, which={"dnf": "there"}.get) == "sudo dnf install libxcb"
