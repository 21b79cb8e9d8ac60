"""Model cards and model versions: what is known of a set of weights, as a JSON file beside it.

A model version is `NAME.safetensors` with `NAME.json`. This module reads and checks the cards and
names; it does not know torch, so models can be listed before torch is imported. The weights
themselves are `engine.models.version`'s business.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from engine.errors import ModelError
from engine.models.spec import NetworkSpec

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

SCHEMA = 1
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
WEIGHTS_SUFFIX = ".safetensors"
CARD_SUFFIX = ".json"
PENDING_SUFFIX = ".new"  # appended to either file while a version is being replaced

PLAIN_AP, FINE_AP = "held_out_mask_ap", "held_out_fine_mask_ap"
"""Metrics of a card: mask AP on images held out of the training, drawn by the class branch and by that for
prompts."""

_MAX_CARD_BYTES = 16 * 2**20
_NAME = re.compile(r"\w[\w.+-]{0,99}")
# A dot that Windows drops, and extensions that would make a name look like a file.
_BAD_ENDING = re.compile(r"(?i)(\.|\.safetensors|\.json)+$")
# Names that Windows keeps for itself, with or without an extension.
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def utc_now() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of one model version.

    classes: foreground names; index i is label i + 1 of the network. mean, std: per channel of RGB
    in 0..1. created: ISO 8601 UTC. parent: name or SHA-256 of the version or weights it was trained
    from. training: recipe, seed, minutes and the like, as JSON. data_fingerprint: of the images and
    masks it was trained on. metrics: AP on a 0-1 scale, and other figures by name. sha256: of the
    safetensors file, hex; empty until it was saved. extra: keys of a newer card, kept as they came.

    Raises ModelError for values that contradict each other or have the wrong type.
    """

    name: str
    spec: NetworkSpec
    classes: tuple[str, ...]
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    created: str = field(default_factory=utc_now)
    parent: str | None = None
    training: Mapping[str, Json] = field(default_factory=dict)
    data_fingerprint: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    sha256: str = ""
    schema: int = SCHEMA
    extra: Mapping[str, Json] = field(default_factory=dict)

    @property
    def draws_finely(self) -> bool:
        """Whether the branch for prompts draws detections better, as measured on held-out images."""
        plain, fine = self.metrics.get(PLAIN_AP), self.metrics.get(FINE_AP)
        return plain is not None and fine is not None and fine > plain

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.classes) != self.spec.num_classes:
            raise ModelError(
                f"Model {self.name} has {self.spec.num_classes} classes in its network but "
                f"{len(self.classes)} class names: give one name for each."
            )
        twice = sorted({c for c in self.classes if self.classes.count(c) > 1})
        if twice:
            raise ModelError(f"Model {self.name} names the class '{twice[0]}' twice; names must differ.")
        if not all(c.strip() for c in self.classes):
            raise ModelError(f"Model {self.name} has a class without a name; name every class.")
        if not all(math.isfinite(m) for m in self.mean) or not all(0 < s < math.inf for s in self.std):
            raise ModelError(f"Model {self.name} has a mean or std that cannot normalise an image.")


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A set of weights on disk with its card. path: the safetensors file."""

    path: Path
    card: ModelCard

    @property
    def card_path(self) -> Path:
        """The JSON file beside the weights."""
        return card_path_of(self.path)


def card_path_of(weights: Path) -> Path:
    """Where the card of a weights file lies."""
    return weights.with_name(weights.name.removesuffix(WEIGHTS_SUFFIX) + CARD_SUFFIX)


def pending(path: Path) -> Path:
    """Where the next content of `path` waits until it takes its place."""
    return path.with_name(path.name + PENDING_SUFFIX)


def check_name(name: str) -> str:
    """The name, if it can be a file's name on every system; raises ModelError otherwise."""
    if not _NAME.fullmatch(name) or _BAD_ENDING.search(name) or _RESERVED.fullmatch(name):
        raise ModelError(
            f"'{name}' cannot be a model's name: use up to 100 letters, digits, '-', '_', '+' and '.', "
            "starting with a letter or digit and without a file's extension."
        )
    return name


def name_from(text: str) -> str:
    """A valid name as near to `text` as can be."""
    name = _BAD_ENDING.sub("", re.sub(r"[^\w.+-]+", "-", text).strip("-.+")[:100]) or "model"
    return f"model-{name}" if _RESERVED.fullmatch(name) else name


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, hex, read in a stream. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_version(path: Path) -> ModelVersion:
    """The model version of a weights file (or its card); the weights are not read yet.

    Raises ModelError when either file is missing or the card is not a valid one.
    """
    weights = path.with_suffix(WEIGHTS_SUFFIX) if path.suffix == CARD_SUFFIX else path
    if not weights.is_file():
        raise ModelError(f"There is no model at {weights}.")
    if weights.suffix != WEIGHTS_SUFFIX or not card_path_of(weights).is_file():
        raise ModelError(
            f"{weights} has no model card beside it: bring it in with `models import {weights.name}` first."
        )
    return ModelVersion(weights, _settled_card(weights))


def _settled_card(weights: Path) -> ModelCard:
    """The card that belongs to the weights, also when saving was cut off between the two files.

    A version is replaced weights first, card second. If the machine stopped in between, the new
    card still waits beside the old one, and the weights' hash tells which of them is meant.
    """
    current = card_path_of(weights)
    waiting = pending(current)
    if waiting.is_file():
        try:
            card = read_card(waiting)
            if card.sha256 == sha256_of(weights):
                return card
        except (ModelError, OSError):
            pass  # cut off while it was written: the weights were not replaced yet
    return read_card(current)


def write_card(version: ModelVersion, card: ModelCard) -> ModelVersion:
    """Replace a version's card, whole or not at all; weights and their hash stay. Raises ModelError."""
    card = dataclasses.replace(card, sha256=version.card.sha256)
    path = version.card_path
    try:
        text = json.dumps(card_to_json(card), indent=2, ensure_ascii=False, allow_nan=False)
        pending(path).write_text(text + "\n", encoding="utf-8")
        pending(path).replace(path)
    except ValueError as e:
        raise ModelError(f"The card of model {card.name} holds a value that JSON has no form for.") from e
    except OSError as e:
        raise ModelError(
            f"Model card {path} cannot be written ({e.strerror or e}): make room or mend the folder."
        ) from e
    return ModelVersion(version.path, card)


def read_card(path: Path) -> ModelCard:
    """The card in a JSON file. Raises ModelError that names the file and what is wrong in it."""
    try:
        if path.stat().st_size > _MAX_CARD_BYTES:
            raise ModelError(f"Model card {path} is too large to be one.")
        data: Json = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ModelError(f"Model card {path} cannot be read: {e.strerror or e}.") from e
    except (ValueError, RecursionError) as e:
        raise ModelError(f"Model card {path} is not valid JSON: download or train the model again.") from e
    try:
        return card_from_json(data)
    except ModelError as e:
        raise ModelError(f"Model card {path}: {e}") from e


def card_to_json(card: ModelCard) -> dict[str, Json]:
    """The card as JSON, keys of a newer card included."""
    return {
        **card.extra,
        "schema": card.schema,
        "name": card.name,
        "network": dataclasses.asdict(card.spec),
        "classes": list(card.classes),
        "mean": list(card.mean),
        "std": list(card.std),
        "created": card.created,
        "parent": card.parent,
        "training": dict(card.training),
        "data_fingerprint": card.data_fingerprint,
        "metrics": dict(card.metrics),
        "sha256": card.sha256,
    }


def card_from_json(data: Json) -> ModelCard:
    """The card that JSON data holds. Raises ModelError for a wrong or missing value."""
    if not isinstance(data, dict):
        raise ModelError("it must be a JSON object.")
    fields = _Fields(data)
    card = ModelCard(
        schema=fields.integer("schema"),
        name=fields.text("name"),
        spec=_spec_from_json(fields.mapping("network")),
        classes=fields.texts("classes"),
        mean=fields.rgb("mean"),
        std=fields.rgb("std"),
        created=fields.text("created"),
        parent=None if data.get("parent") is None else fields.text("parent"),
        training=fields.mapping("training"),
        data_fingerprint=fields.text("data_fingerprint"),
        metrics=_Fields(fields.mapping("metrics")).numbers(),
        sha256=fields.text("sha256"),
    )
    known = card_to_json(card)
    extra = {key: value for key, value in data.items() if key not in known}
    return dataclasses.replace(card, extra=extra)


def _spec_from_json(data: dict[str, Json]) -> NetworkSpec:
    known = {f.name for f in dataclasses.fields(NetworkSpec)}
    unknown = sorted(data.keys() - known)
    if unknown:
        # It may change the network's shape or arithmetic: guessing would give wrong answers.
        raise ModelError(f"its network needs '{unknown[0]}', which this version of Maskwright does not know.")
    fields = _Fields(data)
    spec = NetworkSpec(
        architecture=fields.text("architecture"),
        num_classes=fields.integer("num_classes"),
        anchor_base=fields.integer("anchor_base"),
        min_size=fields.integer("min_size"),
        max_size=fields.integer("max_size"),
        norm_eps=fields.number("norm_eps"),
        prompts=fields.flag("prompts"),
    )
    if min(spec.num_classes, spec.anchor_base, spec.min_size) < 1 or spec.max_size < spec.min_size:
        raise ModelError("its network has a size or a number of classes below 1, or max_size below min_size.")
    if not 0 <= spec.norm_eps < 1:
        raise ModelError("its network's norm_eps must lie between 0 and 1.")
    return spec


@dataclass(frozen=True, slots=True)
class _Fields:
    """Typed access to a JSON object; a ModelError names the key that is wrong."""

    data: Mapping[str, Json]

    def _get(self, key: str) -> Json:
        if key not in self.data:
            raise ModelError(f"'{key}' is missing.")
        return self.data[key]

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise ModelError(f"'{key}' must be text.")
        return value

    def integer(self, key: str) -> int:
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ModelError(f"'{key}' must be a whole number.")
        return value

    def number(self, key: str) -> float:
        value = self._get(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ModelError(f"'{key}' must be a number.")
        return float(value)

    def flag(self, key: str) -> bool:
        """False where it is missing: cards from before there was such a thing."""
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            raise ModelError(f"'{key}' must be true or false.")
        return value

    def numbers(self) -> dict[str, float]:
        return {key: self.number(key) for key in self.data}

    def mapping(self, key: str) -> dict[str, Json]:
        value = self._get(key)
        if not isinstance(value, dict):
            raise ModelError(f"'{key}' must be a JSON object.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ModelError(f"'{key}' must be a list of texts.")
        return tuple(v for v in value if isinstance(v, str))

    def rgb(self, key: str) -> tuple[float, float, float]:
        value = self._get(key)
        if not isinstance(value, list) or len(value) != 3:
            raise ModelError(f"'{key}' must be three numbers.")
        fields = _Fields({f"{key}[{i}]": v for i, v in enumerate(value)})
        r, g, b = fields.numbers().values()
        return r, g, b
