"""A model version is saved whole or not at all, and never loaded unverified."""

from __future__ import annotations

import copy
import dataclasses
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torchvision.models.detection import FasterRCNN

from engine.errors import ModelError
from engine.models.card import card_to_json, sha256_of
from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.models.version import ModelCard, ModelVersion, load_network, read_version, save_version

from .conftest import TINY, TINY_V2

CLASS_BIAS = "roi_heads.box_predictor.cls_score.bias"
OLD, NEW = 1.0, 2.0


def altered(network: FasterRCNN, value: float) -> FasterRCNN:
    """The same network with another bias: a later version of it."""
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.get_parameter(CLASS_BIAS).fill_(value)
    return other


def same_weights(one: FasterRCNN, other: FasterRCNN) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return list(a) == list(b) and all(torch.equal(a[k], b[k]) for k in a)


def test_that_a_saved_network_comes_back_bit_by_bit(version: ModelVersion, network: FasterRCNN) -> None:
    loaded = load_network(read_version(version.path))
    assert same_weights(network, loaded)
    assert not loaded.training
    assert [p.requires_grad for p in loaded.parameters()] == [p.requires_grad for p in network.parameters()]
    assert {t.device.type for t in (*loaded.parameters(), *loaded.buffers())} == {"cpu"}


@pytest.mark.parametrize("spec", [TINY, TINY_V2])
def test_that_live_and_frozen_batchnorm_are_kept(tmp_path: Path, spec: NetworkSpec) -> None:
    spec = dataclasses.replace(spec, norm_eps=0.001)
    network = build(spec)
    with torch.no_grad():
        for key, buffer in network.named_buffers():
            if key.endswith("running_var"):
                buffer.fill_(2.0)
            if key.endswith("num_batches_tracked"):
                buffer.fill_(5)
    version = save_version(tmp_path, "m", network, ModelCard("m", spec, ("a", "b")))
    loaded = load_network(version)
    assert same_weights(network, loaded)
    assert version.card.spec.norm_eps == 0.001


def test_that_the_card_beside_the_weights_says_what_was_given(version: ModelVersion, card: ModelCard) -> None:
    read = read_version(version.path)
    assert read == version == read_version(version.card_path)
    assert read.card.sha256 == sha256_of(version.path)
    assert dataclasses.replace(read.card, sha256="") == card
    assert sorted(p.name for p in version.path.parent.iterdir()) == ["cells.json", "cells.safetensors"]


def test_that_a_network_in_another_layout_and_precision_is_saved_plainly(
    tmp_path: Path, network: FasterRCNN, card: ModelCard
) -> None:
    other = copy.deepcopy(network).to(memory_format=torch.channels_last).half()
    loaded = load_network(save_version(tmp_path, "m", other, card))
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert {p.dtype for p in other.parameters()} == {torch.float16}


@pytest.mark.parametrize("where", [0, 5000, -1])
def test_that_one_changed_byte_is_noticed(version: ModelVersion, where: int) -> None:
    content = bytearray(version.path.read_bytes())
    content[where] ^= 1
    version.path.write_bytes(content)
    with pytest.raises(
        ModelError, match="was changed or damaged since it was saved; download or train it again"
    ):
        load_network(version)


def test_that_a_missing_file_is_told(version: ModelVersion) -> None:
    version.path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_network(version)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_that_a_network_that_diverged_is_not_saved(
    version: ModelVersion, network: FasterRCNN, card: ModelCard, value: float
) -> None:
    with pytest.raises(ModelError, match="NaN or infinite"):
        save_version(version.path.parent, "cells", altered(network, value), card)
    assert same_weights(network, load_network(read_version(version.path)))


def test_that_a_card_of_another_network_is_not_saved(
    tmp_path: Path, network: FasterRCNN, card: ModelCard
) -> None:
    other = dataclasses.replace(card, spec=NetworkSpec("maskrcnn_resnet50_fpn", 2))
    with pytest.raises(ModelError, match="does not fit its own card"):
        save_version(tmp_path, "m", network, other)


def test_that_a_card_that_json_cannot_hold_is_not_saved(
    version: ModelVersion, network: FasterRCNN, card: ModelCard
) -> None:
    broken = dataclasses.replace(card, metrics={"mask_ap": float("nan")})
    with pytest.raises(ModelError, match="a value JSON has no form for"):
        save_version(version.path.parent, "cells", altered(network, 3.0), broken)
    assert same_weights(network, load_network(read_version(version.path)))


def test_that_a_name_that_is_a_path_is_refused(tmp_path: Path, network: FasterRCNN, card: ModelCard) -> None:
    with pytest.raises(ModelError, match="cannot be a model's name"):
        save_version(tmp_path / "a", "../b", network, card)
    assert list(tmp_path.iterdir()) == []


def test_that_weights_that_fit_their_hash_but_not_their_card_are_refused(version: ModelVersion) -> None:
    state = safetensors.torch.load_file(version.path)
    del state[CLASS_BIAS]
    forged = version.path.with_name("forged.safetensors")
    safetensors.torch.save_file(state, forged)
    card = dataclasses.replace(version.card, sha256=sha256_of(forged))
    with pytest.raises(ModelError, match=f"does not fit .*: it lacks '{CLASS_BIAS}'"):
        load_network(ModelVersion(forged, card))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_that_weights_may_be_read_by_whom_the_umask_lets(
    tmp_path: Path, network: FasterRCNN, card: ModelCard
) -> None:
    (tmp_path / "plain").touch()
    version = save_version(tmp_path, "m", network, card)
    modes = {path.stat().st_mode for path in (tmp_path / "plain", version.path, version.card_path)}
    assert len(modes) == 1


class _StoppedError(BaseException):
    """The machine stops here."""


def _stop(*_: object) -> None:
    raise _StoppedError


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _nth_call(real: Callable[..., object], n: int, fail: Callable[..., None]) -> Callable[..., object]:
    calls = 0

    def wrapped(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == n:
            fail()
        return real(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize("fail", [_stop, _full])
@pytest.mark.parametrize(
    "place",
    [
        (safetensors.torch, "save_file", 1, OLD),
        (os, "fsync", 1, OLD),
        (Path, "write_text", 1, OLD),
        (os, "fsync", 2, OLD),
        (Path, "replace", 1, OLD),
        (Path, "replace", 2, NEW),  # the weights are new already: the waiting card belongs to them
    ],
)
def test_that_a_stop_or_fault_anywhere_leaves_one_whole_version(
    tmp_path: Path,
    network: FasterRCNN,
    card: ModelCard,
    fail: Callable[..., None],
    place: tuple[object, str, int, float],
) -> None:
    owner, name, nth, survivor = place
    first = save_version(tmp_path, "m", altered(network, OLD), card)
    later = dataclasses.replace(card, metrics={"mask_ap": 0.75})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, _nth_call(getattr(owner, name), nth, fail))
        with pytest.raises((_StoppedError, ModelError)):
            save_version(tmp_path, "m", altered(network, NEW), later)
    left = read_version(first.path)
    assert set(load_network(left).get_parameter(CLASS_BIAS).tolist()) == {survivor}
    assert left.card.metrics["mask_ap"] == (0.25 if survivor == OLD else 0.75)
    again = save_version(tmp_path, "m", altered(network, 3.0), card)
    assert read_version(first.path) == again
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "m.safetensors"]


def test_that_a_half_written_waiting_card_is_ignored(version: ModelVersion) -> None:
    version.card_path.with_name("cells.json.new").write_text('{"schema": 1, "na', encoding="utf-8")
    assert read_version(version.path) == version
    assert card_to_json(read_version(version.path).card)["sha256"] == version.card.sha256
