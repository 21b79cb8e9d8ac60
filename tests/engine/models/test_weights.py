"""Weights files are data: hostile, damaged and foreign ones end in one sentence."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import pickle
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN

from engine.errors import ModelError
from engine.models.families import architectures
from engine.models.spec import NetworkSpec
from engine.models.weights import (
    class_count,
    fitted,
    misfit,
    read_state,
    recognise,
    skeleton,
    with_modern_names,
)

from .conftest import TINY

SMALL = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}
BIAS = "roi_heads.box_predictor.cls_score.bias"


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.marker,)


class Evaluated:
    def __init__(self, marker: Path) -> None:
        self.code = f"open({str(marker)!r}, 'w').close()"

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return eval, (self.code,)


def saved(content: object, path: Path, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("attack", [Attack, Evaluated])
@pytest.mark.parametrize(
    "wrap", [lambda a: a, lambda a: {"model": SMALL, "x": a}, lambda a: {**SMALL, "y": [a]}]
)
def test_that_code_in_a_file_is_refused_and_never_run(
    tmp_path: Path, attack: Callable[[Path], object], wrap: Callable[[object], object], zipped: bool
) -> None:
    marker = tmp_path / "executed"
    path = saved(wrap(attack(marker)), tmp_path / "m.pth", zipped=zipped)
    with pytest.raises(ModelError, match="contains code or objects other than tensors"):
        read_state(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(attack(marker)))  # noqa: S301  the attack itself works
    assert marker.exists()


def test_that_no_setting_of_torch_opens_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    path = saved(Attack(tmp_path / "executed"), tmp_path / "m.pth")
    with pytest.raises(ModelError, match="refused"):
        read_state(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [nn.Linear(2, 2), {"model": SMALL, "args": argparse.Namespace(lr=1)}])
def test_that_whole_models_and_foreign_objects_are_refused_with_the_way_out(
    tmp_path: Path, content: object
) -> None:
    with pytest.raises(ModelError, match=r"contains code .*torch\.save\(model\.state_dict\(\), FILE\)"):
        read_state(saved(content, tmp_path / "m.pth"))


def test_that_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/constants.pkl", pickle.dumps(()))
        archive.writestr("m/data.pkl", pickle.dumps({}))
        archive.writestr("m/version", "3")
    with pytest.raises(ModelError, match=r"TorchScript.*refused"):
        read_state(tmp_path / "m.pt")


@pytest.mark.parametrize(
    "content",
    [
        SMALL,
        {"model": SMALL, "epoch": 3},
        {"state_dict": SMALL},
        {f"module.{k}": v for k, v in SMALL.items()},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_that_weights_are_found_where_people_put_them(tmp_path: Path, content: object, zipped: bool) -> None:
    state = read_state(saved(content, tmp_path / "m.pth", zipped=zipped))
    assert state.keys() == SMALL.keys()
    assert all(torch.equal(state[k], SMALL[k]) for k in SMALL)


@pytest.mark.parametrize(
    "content", [{}, [1, 2], torch.ones(3), {"a": 1}, {1: torch.ones(1)}, {"model": {}}, None]
)
def test_that_a_file_without_named_tensors_is_told(tmp_path: Path, content: object) -> None:
    with pytest.raises(ModelError, match=r"holds (no weights|')"):
        read_state(saved(content, tmp_path / "m.pth"))


@pytest.mark.parametrize("name", ["m.pth", "m.safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"x", b"<html>404</html>", b"\x80\x02.", b"PK\x03\x04" + bytes(100), bytes(64)]
)
def test_that_a_file_that_is_something_else_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=r"or is damaged: fetch it again|holds no weights"):
        read_state(tmp_path / name)


def test_that_missing_files_folders_and_other_kinds_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights file at"):
        read_state(tmp_path / "m.pth")
    (tmp_path / "f.pth").mkdir()
    with pytest.raises(ModelError, match="no weights file at"):
        read_state(tmp_path / "f.pth")
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match=r"must end in one of \.safetensors"):
        read_state(tmp_path / "m.onnx")


def test_that_every_truncation_of_a_weights_file_is_told(tmp_path: Path) -> None:
    whole = saved(SMALL, tmp_path / "m.pth").read_bytes()
    safe = safetensors.torch.save(SMALL)
    for name, content in (("t.pth", whole), ("t.safetensors", safe)):
        for size in range(0, len(content) - 1, 7):
            (tmp_path / name).write_bytes(content[:size])
            with pytest.raises(ModelError):
                read_state(tmp_path / name)


def test_that_random_damage_never_ends_in_a_traceback(tmp_path: Path) -> None:
    rng = random.Random(1)
    buffer = io.BytesIO()
    torch.save(SMALL, buffer, _use_new_zipfile_serialization=False)
    sources = {
        "a.pth": saved(SMALL, tmp_path / "m.pth").read_bytes(),
        "b.pth": buffer.getvalue(),
        "c.safetensors": safetensors.torch.save(SMALL),
    }
    for name, content in sources.items():
        for _ in range(300):
            damaged = bytearray(content)
            for _ in range(rng.randint(1, 8)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            (tmp_path / name).write_bytes(damaged)
            with contextlib.suppress(ModelError):
                read_state(tmp_path / name)


def test_that_a_file_that_unpacks_to_more_than_it_is_is_refused_unread(tmp_path: Path) -> None:
    whole = saved({"a": torch.zeros(1_000_000)}, tmp_path / "m.pth")
    with (
        zipfile.ZipFile(whole) as stored,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    assert read_state(whole)["a"].shape == (1_000_000,)
    with pytest.raises(ModelError, match=r"unpacks to 4 MiB.*refused"):
        read_state(tmp_path / "bomb.pth")


def header(entries: object, *, length: int | None = None, data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


@pytest.mark.parametrize(
    "content",
    [
        header({}, length=2**63),
        header({}, length=2**32),
        header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 2**40]}}),
        header({"a": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 8]}}, data=bytes(8)),
        header({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, data=bytes(8)),
        header({"a": {"dtype": "Q99", "shape": [2], "data_offsets": [0, 8]}}, data=bytes(8)),
        header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, data=bytes(8)),
        header({"a": 1}),
        header([]),
    ],
)
def test_that_a_hostile_safetensors_header_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="not a valid safetensors file or is damaged"):
        read_state(tmp_path / "m.safetensors")


def test_that_each_architecture_is_recognised_with_its_number_of_classes() -> None:
    for name in architectures():
        state = skeleton(NetworkSpec(name, 7)).state_dict()
        # v1 and v1.5 differ in strides alone, which no file tells.
        assert recognise(state) == name.replace("resnet50_v1_fpn", "resnet50_fpn")
        assert class_count(state) == 7


def _old_name(key: str) -> str:
    key = re.sub(r"(rpn\.head\.conv|fpn\.\w+_blocks\.\d)(\.0)+\.", r"\1.", key)
    return re.sub(r"mask_head\.(\d)\.0\.", lambda m: f"mask_head.mask_fcn{int(m[1]) + 1}.", key)


def test_that_names_from_before_are_brought_up_to_date() -> None:
    new = skeleton(NetworkSpec("maskrcnn_resnet50_fpn", 90)).state_dict()
    old = {_old_name(key): tensor for key, tensor in new.items()}
    assert len(old.keys() - new.keys()) == 26
    assert with_modern_names(old).keys() == new.keys()
    assert with_modern_names(dict(new)).keys() == new.keys()


def test_that_the_counters_of_batchnorm_may_come_or_go() -> None:
    state = skeleton(NetworkSpec("maskrcnn_resnet18_fpn", 1)).state_dict()
    assert misfit(state | {"backbone.body.bn1.num_batches_tracked": torch.tensor(1)}, _frozen()) is None
    live = skeleton(NetworkSpec("maskrcnn_resnet50_fpn_v2", 1)).state_dict()
    without = {k: v for k, v in live.items() if not k.endswith("num_batches_tracked")}
    assert recognise(without) == "maskrcnn_resnet50_fpn_v2"


def _frozen() -> FasterRCNN:
    return skeleton(NetworkSpec("maskrcnn_resnet18_fpn", 1))


def fit(network: FasterRCNN, change: Callable[[Tensor], Tensor]) -> FasterRCNN:
    state = dict(network.state_dict())
    state[BIAS] = change(state[BIAS])
    return fitted(state, TINY, Path("m.pth"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t * float("nan"), "NaN or infinite"),
        (lambda t: t.int(), r"holds torch\.int32 where floating-point"),
        (lambda t: t.bool(), r"holds torch\.bool where"),
        (lambda t: t.to(torch.complex64), r"holds torch\.complex64 where"),
        (lambda t: t.to_sparse(), "where floating-point"),
        (lambda t: t.to("meta"), "where floating-point"),
        (lambda t: t[:2], r"shape \(2,\) where \(3,\) is needed"),
        (lambda t: t.reshape(3, 1), r"shape \(3, 1\)"),
        (lambda t: t[:1].expand(2**50), r"shape \(1125899906842624,\)"),
    ],
)
def test_that_tensors_that_cannot_be_these_weights_are_refused(
    network: FasterRCNN, change: Callable[[Tensor], Tensor], reason: str
) -> None:
    with pytest.raises(ModelError, match=rf"m\.pth.*'{BIAS}' .*{reason}|m\.pth.*{reason}"):
        fit(network, change)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_that_other_precisions_become_float32(network: FasterRCNN, dtype: torch.dtype) -> None:
    bias = fit(network, lambda t: t.to(dtype)).get_parameter(BIAS)
    assert bias.dtype == torch.float32
    assert torch.equal(bias, network.get_parameter(BIAS).to(dtype).float())


def test_that_a_number_too_large_for_float32_is_refused(network: FasterRCNN) -> None:
    with pytest.raises(ModelError, match="NaN or infinite"):
        fit(network, lambda t: t.double() + 1e300)


def test_that_tensors_of_a_file_that_share_memory_become_weights_of_their_own(network: FasterRCNN) -> None:
    loaded = fit(network, lambda t: t[:1].expand(3))
    with torch.no_grad():
        loaded.get_parameter(BIAS)[0] = 7.0
    assert 7.0 not in loaded.get_parameter(BIAS)[1:].tolist()
    assert 7.0 not in network.get_parameter(BIAS).tolist()


def test_that_surplus_weights_are_named(network: FasterRCNN) -> None:
    state = dict(network.state_dict()) | {"more": torch.ones(1)}
    with pytest.raises(ModelError, match="it has 'more' beyond it"):
        fitted(state, TINY, Path("m.pth"))
