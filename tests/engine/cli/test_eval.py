"""`eval`: its tables, its reports and its comparison of two models, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from engine.document.records import ClassDef, Instance
from engine.formats.coco import write_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.models.store import default_store
from engine.models.version import load_network
from engine.predict.predictor import Predictor
from engine.refilter import masks
from main import main
from tests.engine.networks import CLASSES, picture


@pytest.fixture
def data(tmp_path: Path, toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A COCO file of two pictures whose truth is some of what the toy model finds, not all by its class."""
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(toy_models))
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy_models / "cache"))
    monkeypatch.setattr("engine.cli.evaluating.use_threads", lambda **_: 1)
    version = default_store().resolve("toy")
    predictor = Predictor(load_network(version), version.card)
    images = []
    for number in range(2):
        pixels = picture(96, 128, number)
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels[:, :, ::-1])
        (prediction,) = predictor.predict([pixels])
        chosen = [(n, mask) for n, mask in enumerate(masks(prediction)) if mask and mask.area > 20][:6]
        assert len(chosen) > 2
        instances = (Instance(10 * number + n + 1, 1 + n % len(CLASSES), mask) for n, mask in chosen)
        images.append(LabelledImage(tmp_path / f"{number}.png", 128, 96, tuple(instances)))
    classes = tuple(ClassDef(n, name, "#ff0000") for n, name in enumerate(CLASSES, start=1))
    write_coco(tmp_path / "truth.json", LabelledSet(classes, tuple(images)))
    return tmp_path / "truth.json"


def measure(*arguments: object) -> int:
    return main(["eval", *(str(argument) for argument in arguments), "--device", "cpu"])


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_that_the_tables_say_what_the_json_says_and_the_report_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure(data, "--model", "toy", "--json", "--threshold", 0.1) == 0
    figures = printed(capsys)
    assert figures["metrics"]["mask_ap"] > 0.05
    assert figures["at_threshold"]["threshold"] == 0.1
    assert measure(data, "--model", "toy", "--threshold", 0.1, "--report", tmp_path / "r") == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    for kind in ("mask", "boundary", "box"):
        assert float(rows[kind][0]) == pytest.approx(figures["metrics"][f"{kind}_ap"], abs=1e-3)
    assert len(figures["per_class"]) > 1
    for name, values in figures["per_class"].items():
        assert int(rows[name][0]) == values["instances"]
        assert float(rows[name][1]) == pytest.approx(values["mask_ap"], abs=1e-3)
    assert "At a score threshold of 0.10: finds" in out
    assert f"the report: {tmp_path / 'r' / 'report.html'}" in out
    written = json.loads((tmp_path / "r" / "metrics.json").read_text(encoding="utf-8"))
    assert {name: written[name] for name in figures} == figures


def test_that_two_models_are_put_side_by_side(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = (data, "--model", "toy", "--against", "other")
    assert measure(*both, "--json") == 0
    figures = printed(capsys)
    assert (figures["model"], figures["before"]["model"]) == ("toy", "other")
    assert measure(*both, "--report", tmp_path / "r") == 0
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if line.startswith("Mask AP  "))
    old, new = figures["before"]["metrics"]["mask_ap"], figures["metrics"]["mask_ap"]
    assert [float(word) for word in line.split()[2:4]] == pytest.approx([old, new], abs=1e-3)
    text = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "other → toy" in text
    written = json.loads((tmp_path / "r" / "metrics.json").read_text(encoding="utf-8"))
    assert written["difference"] == figures["difference"]


def test_that_what_cannot_be_done_is_told_before_anything_is_measured(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert measure(data, "--model", "toy", "--against", "nonsense") == 1
    said = capsys.readouterr().err
    assert "nonsense" in said
    assert "measuring" not in said
    assert measure(data, "--model", "toy", "--report", tmp_path / "file" / "r") == 1
    said = capsys.readouterr().err
    assert "The report cannot be written to" in said
    assert "measuring" not in said
