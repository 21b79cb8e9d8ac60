"""ImageNet weights as a base for training: a classifier's body, loaded into a detector's backbone.

Files carry torchvision's classification names (`conv1.weight`, `layer1.0...`, `features.0...`); the
classifier at the end (`fc.*`, `classifier.*`) is left out. Nothing here knows whole detectors.
"""

from __future__ import annotations

from pathlib import Path

from torchvision.models.detection import FasterRCNN

from engine.errors import ModelError
from engine.models.card import sha256_of
from engine.models.families import architectures, body_of
from engine.models.spec import NetworkSpec
from engine.models.weights import State, as_floats, misfit, read_state, skeleton

# ResNet v1 has the names and shapes of v1.5 but other strides: only the file itself tells.
_KNOWN_FILES = {
    "27607d04fbdf81816920cf59a09377cfd2efd6c806b4799470211b9dbbf58f81": "maskrcnn_resnet50_v1_fpn",
}
_CLASSIFIERS = ("fc.", "classifier.")
_FIRST_LAYERS = ("conv1.weight", "features.0.weight", "features.0.0.weight")


def is_backbone_file(path: Path) -> bool:
    """Whether the file holds a classifier's weights rather than a detector's. Raises ModelError."""
    return is_backbone(read_state(path))


def is_backbone(state: State) -> bool:
    """Whether these are a classifier's weights, by their names."""
    return any(key in state for key in _FIRST_LAYERS)


def backbone_architecture(path: Path) -> str:
    """The Mask R-CNN whose backbone the file's weights fit, such as `maskrcnn_resnet50_fpn`.

    Raises ModelError when there is none.
    """
    body = _body_state(path)
    known = _KNOWN_FILES.get(sha256_of(path))
    if known is not None:
        return known
    for name, architecture in architectures().items():
        if not architecture.has_masks or name.endswith("_slim_fpn"):
            continue
        if misfit(body, body_of(skeleton(NetworkSpec(name, 1)))) is None:
            return name
    raise ModelError(f"{path} is a backbone that none of the architectures uses: take a ResNet, for one.")


def load_backbone(network: FasterRCNN, path: Path) -> None:
    """Copy a classifier's weights from a file into the network's backbone; the rest is left as it is.

    Every name and shape of the body must agree. Raises ModelError, naming the file, where they do not.
    """
    state, body = _body_state(path), body_of(network)
    reason = misfit(state, body)
    if reason is not None:
        raise ModelError(f"{path} does not fit the model's backbone: {reason}.")
    body.load_state_dict(as_floats(state, body, path))


def _body_state(path: Path) -> State:
    state = read_state(path)
    if not is_backbone(state):
        raise ModelError(f"{path} does not hold a backbone's weights (torchvision's names for a classifier).")
    return {k.removeprefix("features."): v for k, v in state.items() if not k.startswith(_CLASSIFIERS)}
