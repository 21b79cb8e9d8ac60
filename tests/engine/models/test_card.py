"""Model cards: what is kept, what is refused, and names that work on every system."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import ModelError
from engine.models.card import (
    Json,
    ModelCard,
    card_from_json,
    card_to_json,
    check_name,
    name_from,
    read_card,
    read_version,
)
from engine.models.spec import NetworkSpec


def changed(card: ModelCard, key: str, value: Json) -> dict[str, Json]:
    data = card_to_json(card)
    data[key] = value
    return data


def test_that_a_card_comes_back_from_json_as_it_was(card: ModelCard) -> None:
    assert card_from_json(json.loads(json.dumps(card_to_json(card)))) == card


def test_that_keys_of_a_newer_card_survive(card: ModelCard) -> None:
    data = card_to_json(card) | {"schema": 9, "calibration": {"a": [1, None]}}
    read = card_from_json(data)
    assert card_to_json(read) == data
    assert card_to_json(dataclasses.replace(read, name="renamed"))["calibration"] == {"a": [1, None]}


def test_that_a_network_with_an_unknown_part_is_refused(card: ModelCard) -> None:
    network: dict[str, Json] = {"architecture": "x", "num_classes": 2, "keypoints": 17}
    with pytest.raises(ModelError, match="'keypoints', which this version of Maskwright does not know"):
        card_from_json(changed(card, "network", network))


@pytest.mark.parametrize(
    "key", ["schema", "name", "network", "classes", "mean", "created", "metrics", "sha256"]
)
@pytest.mark.parametrize("value", [None, 1.5, True, [1], [[]], {"a": "b"}])
def test_that_a_wrong_type_is_named(card: ModelCard, key: str, value: Json) -> None:
    with pytest.raises(ModelError, match=f"'{key}|'architecture'|'a'|needs 'a'"):
        card_from_json(changed(card, key, value))


@pytest.mark.parametrize("key", ["schema", "name", "network", "classes", "std", "training", "sha256"])
def test_that_a_missing_key_is_named(card: ModelCard, key: str) -> None:
    data = card_to_json(card)
    del data[key]
    with pytest.raises(ModelError, match=f"'{key}' is missing"):
        card_from_json(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_classes", 0),
        ("anchor_base", -1),
        ("max_size", 10),
        ("norm_eps", 1),
        ("norm_eps", float("nan")),
        ("min_size", 800.0),
    ],
)
def test_that_a_network_of_senseless_size_is_refused(card: ModelCard, key: str, value: Json) -> None:
    network = dataclasses.asdict(card.spec) | {key: value}
    with pytest.raises(ModelError, match=r"network|whole number"):
        card_from_json(changed(card, "network", network))


def test_that_class_names_must_be_as_many_as_the_network_tells_apart_and_differ() -> None:
    spec = NetworkSpec("maskrcnn_resnet18_fpn", 2)
    with pytest.raises(ModelError, match="one name for each"):
        ModelCard("m", spec, ("a",))
    with pytest.raises(ModelError, match="'a' twice"):
        ModelCard("m", spec, ("a", "a"))
    with pytest.raises(ModelError, match="without a name"):
        ModelCard("m", spec, ("a", " "))


@pytest.mark.parametrize("std", [(0.0, 1.0, 1.0), (1.0, float("inf"), 1.0), (1.0, 1.0, float("nan"))])
def test_that_a_std_that_cannot_divide_is_refused(std: tuple[float, float, float]) -> None:
    with pytest.raises(ModelError, match="cannot normalise"):
        ModelCard("m", NetworkSpec("maskrcnn_resnet18_fpn", 1), ("a",), std=std)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "[" * 100_000, "\ufeff{}", '{"schema": 1'])
def test_that_a_card_that_is_no_card_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"Model card .*m\.json"):
        read_card(path)


def test_that_a_card_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b'{"name": "\xff"}')
    with pytest.raises(ModelError, match="not valid JSON"):
        read_card(tmp_path / "m.json")


def test_that_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model at"):
        read_version(tmp_path / "m.safetensors")
    (tmp_path / "m.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="bring it in with `models import"):
        read_version(tmp_path / "m.safetensors")


@pytest.mark.parametrize("name", ["a", "Zellen-ä", "v1.5", "2026_x", "a+b", "x" * 100])
def test_that_ordinary_names_are_names(name: str) -> None:
    assert check_name(name) == name == name_from(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "../a",
        "C:x",
        "CON",
        "nul.txt",
        "lpt1",
        "a\n",
        "a ",
        "-x",
        "x.",
        "x.json",
        "x.json..safetensors",
        "x" * 101,
        "a\0",
    ],
)
def test_that_names_no_file_may_have_are_refused_and_mended(name: str) -> None:
    with pytest.raises(ModelError, match="cannot be a model's name"):
        check_name(name)
    check_name(name_from(name))


def test_that_models_are_listed_without_torch() -> None:
    code = (
        "import sys; from engine.models.store import default_store; default_store().list(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
