"""Weights files read as data, never as code, and fitted into networks.

Reads `.safetensors` and `.pth`; recognises which architecture a state dict belongs to by its key
names and shapes. It does not know cards, classes' names or where files come from.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.ssd import SSD

from engine.errors import ModelError
from engine.models.families import architectures, build
from engine.models.spec import NetworkSpec
from engine.models.ssd import SSDS, build_ssd

State: TypeAlias = dict[str, Tensor]
"""Tensors by parameter name, on the CPU."""

SAFETENSORS_SUFFIXES = (".safetensors",)
PICKLE_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt")

Detector: TypeAlias = FasterRCNN | SSD
"""A network that finds boxes with their classes: a Mask R-CNN is a FasterRCNN too."""

_CLASS_WEIGHT = "roi_heads.box_predictor.cls_score.weight"
_SSD_CLASS_WEIGHTS = re.compile(r"head\.classification_head\.module_list\.0\.(?:1\.)?weight")
_SSD_BOX_WEIGHTS = re.compile(r"head\.regression_head\.module_list\.0\.(?:1\.)?weight")
# BatchNorm counts batches for an option that nothing here uses; frozen layers leave it out.
_COUNTER = "num_batches_tracked"

# What a damaged or hostile pickle makes `torch.load(weights_only=True)` raise besides UnpicklingError.
_LOAD_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)


def read_state(path: Path) -> State:
    """The tensors of a `.safetensors` or `.pth` file, by name; nothing in the file is executed.

    Raises ModelError for a file that is missing, damaged, of another kind, or that holds more than
    plain tensors.
    """
    if not path.is_file():
        raise ModelError(f"There is no weights file at {path}.")
    suffix = path.suffix.lower()
    if suffix in SAFETENSORS_SUFFIXES:
        return _read_safetensors(path)
    if suffix in PICKLE_SUFFIXES:
        return _read_pickle(path)
    known = ", ".join(SAFETENSORS_SUFFIXES + PICKLE_SUFFIXES)
    raise ModelError(f"{path} is not a weights file: its name must end in one of {known}.")


def _read_safetensors(path: Path) -> State:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as e:
        raise ModelError(f"{path} is not a valid safetensors file or is damaged: fetch it again.") from e


def _check_not_packed(path: Path) -> None:
    """Refuse an archive that unpacks to more than it is: torch stores without packing."""
    if not zipfile.is_zipfile(path):
        return  # torch's format from before
    with zipfile.ZipFile(path) as archive:
        inside = sum(entry.file_size for entry in archive.infolist())
    if inside > path.stat().st_size:
        raise ModelError(
            f"{path} unpacks to {inside / 2**20:.0f} MiB, which no weights file of torch does; refused."
        )


def _read_pickle(path: Path) -> State:
    try:
        _check_not_packed(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how to load the file another way: refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as e:
        raise ModelError(_why_refused(path, str(e))) from e
    except _LOAD_ERRORS as e:
        if "TorchScript" in str(e):
            raise ModelError(f"{path} contains code (a TorchScript program); refused.") from e
        raise ModelError(f"{path} is not a PyTorch weights file or is damaged: fetch it again.") from e
    return _state_in(content, path)


def _why_refused(path: Path, reason: str) -> str:
    found = re.search(r"GLOBAL (\S+)|unrecognized function (.+)|but got (.+)", reason)
    if found is None:
        return f"{path} is not a PyTorch weights file or is damaged: fetch it again."
    return (
        f"{path} contains code or objects other than tensors ({found[1] or found[2] or found[3]}); refused. "
        "Save the weights alone, with torch.save(model.state_dict(), FILE), and import that."
    )


def _state_in(content: object, path: Path) -> State:
    """The state dict in a loaded file: itself, or under `model` or `state_dict`."""
    for key in ("model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"{path} holds no weights by name (a state dict).")
    state: State = {}
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ModelError(f"{path} holds '{str(key)[:80]}', which is not a tensor with a name; refused.")
        state[key.removeprefix("module.")] = value  # DataParallel's prefix
    return state


# Names that torchvision gave its parameters before 0.14; files from then are still the official ones.
_OLD_NAMES = (
    (re.compile(r"(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)"), r"\1.0.\2"),
    (re.compile(r"(rpn\.head\.conv)\.(weight|bias)"), r"\1.0.0.\2"),
)
_OLD_MASK_NAME = re.compile(r"roi_heads\.mask_head\.mask_fcn(\d+)\.(weight|bias)")


def with_modern_names(state: State) -> State:
    """The same tensors under the names that torchvision uses today."""

    def modern(key: str) -> str:
        for pattern, name in _OLD_NAMES:
            if pattern.fullmatch(key):
                return pattern.sub(name, key)
        if mask := _OLD_MASK_NAME.fullmatch(key):
            return f"roi_heads.mask_head.{int(mask[1]) - 1}.0.{mask[2]}"
        return key

    return {modern(key): tensor for key, tensor in state.items()}


def class_count(state: State) -> int | None:
    """How many foreground classes a detector's weights tell apart; None where it is no detector."""
    weight = state.get(_CLASS_WEIGHT)
    if weight is None:
        return _class_count_of_ssd(state)
    return weight.shape[0] - 1 if weight.ndim == 2 and weight.shape[0] > 1 else None


def _class_count_of_ssd(state: State) -> int | None:
    scores, boxes = (
        [tensor for key, tensor in state.items() if names.fullmatch(key) and tensor.ndim == 4]
        for names in (_SSD_CLASS_WEIGHTS, _SSD_BOX_WEIGHTS)
    )
    if not scores or not boxes:
        return None
    anchors = boxes[-1].shape[0] // 4  # a cell
    outputs = scores[-1].shape[0] // max(anchors, 1)
    return outputs - 1 if outputs > 1 else None


def recognise(state: State) -> str | None:
    """The architecture whose parameters have these names and shapes; None where there is none.

    ResNet v1 and v1.5 differ only in strides; v1.5, torchvision's, is taken for both.
    """
    classes = class_count(state)
    if classes is None:
        return None
    names = _weight_names(state)
    for name in (*architectures(), *SSDS):
        if _names_of(name) == names and misfit(state, skeleton(NetworkSpec(name, classes))) is None:
            return name
    return None


@cache
def _names_of(architecture: str) -> frozenset[str]:
    return _weight_names(skeleton(NetworkSpec(architecture, 1)).state_dict())


def _weight_names(state: Mapping[str, Tensor]) -> frozenset[str]:
    return frozenset(key for key in state if not key.endswith(_COUNTER))


def skeleton(spec: NetworkSpec) -> Detector:
    """The network without memory for its weights (on torch's meta device): names and shapes only."""
    with torch.device("meta"):
        return build_ssd(spec) if spec.architecture in SSDS else build(spec)


def misfit(state: State, module: nn.Module) -> str | None:
    """Why the tensors do not fit the module's parameters, as half a sentence; None when they do."""
    wanted = {k: v for k, v in module.state_dict().items() if not k.endswith(_COUNTER)}
    given = {k: v for k, v in state.items() if not k.endswith(_COUNTER)}
    missing, surplus = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing:
        return f"it lacks '{missing[0]}'" + (f" and {len(missing) - 1} more" if missing[1:] else "")
    if surplus:
        return (
            f"it has '{surplus[0][:80]}'"
            + (f" and {len(surplus) - 1} more" if surplus[1:] else "")
            + " beyond it"
        )
    for key, tensor in wanted.items():
        if given[key].shape != tensor.shape:
            return f"'{key}' has shape {tuple(given[key].shape)} where {tuple(tensor.shape)} is needed"
    return None


def as_floats(state: State, module: nn.Module, path: Path) -> State:
    """The tensors that the module needs, as finite float32; call after `misfit` said None.

    The order matters: shapes are known to be sane before any value is touched. Raises ModelError
    for integers in place of weights and for NaN or infinity.
    """
    floats: State = {}
    for key, wanted in module.state_dict().items():
        if key.endswith(_COUNTER):
            count = state.get(key)
            if count is None or count.shape != () or count.dtype != torch.long:
                count = torch.zeros((), dtype=torch.long)
            floats[key] = count
            continue
        tensor = state[key]
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or not tensor.is_floating_point():
            raise ModelError(f"{path}: '{key}' holds {tensor.dtype} where floating-point weights are needed.")
        # A copy: the file may be mapped, and two names in it may share one storage.
        tensor = tensor.detach().to(wanted.dtype).clone(memory_format=torch.contiguous_format)
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(
                f"{path}: '{key}' holds NaN or infinite weights, so the model cannot predict; "
                "use an earlier version of it."
            )
        floats[key] = tensor
    return floats


def fitted(state: State, spec: NetworkSpec, path: Path) -> Detector:
    """A network of the spec with these weights, in evaluation mode, float32 on the CPU.

    Every name and shape must agree. Raises ModelError, naming `path`, where they do not.
    """
    network = skeleton(spec)
    reason = misfit(state, network)
    if reason is not None:
        raise ModelError(
            f"{path} does not fit {spec.architecture} with {spec.num_classes} classes: {reason}."
        )
    network.load_state_dict(as_floats(state, network, path), strict=True, assign=True)
    return network.eval()
