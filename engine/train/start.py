"""Where training starts from: another version, a classifier's weights, or an architecture's name.

The network that comes out fits the classes and sizes of the data; what the base knows of classes of
the same name is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.roi_heads import RoIHeads

from engine.models.backbone import backbone_architecture, is_backbone_file, load_backbone
from engine.models.card import IMAGENET_MEAN, IMAGENET_STD, ModelCard, name_from, sha256_of
from engine.models.families import architectures, body_of, build
from engine.models.prompt_head import prompt_head
from engine.models.spec import NetworkSpec
from engine.models.store import ModelStore
from engine.models.version import load_network
from engine.predict.prepare import set_roi_scales
from engine.train.recipe import Recipe
from engine.train.sizing import Sizes

MASK_SPREAD = 0.05
"""Standard deviation of the mask head's last layer at first. At Detectron's 0.001 hardly a gradient
passes it: the head had learned nothing after 60 steps. At torchvision's 1.0 the loss starts at three
times a coin toss's, and its gradients at what the base has learned.
"""

RGB = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A network ready to be trained, and what its card will say of where it came from."""

    network: FasterRCNN
    spec: NetworkSpec
    mean: RGB
    std: RGB
    parent: str | None

    @property
    def is_fresh(self) -> bool:
        """Whether the body holds nothing learned yet."""
        return self.parent is None


def starting_point(base: str, classes: Sequence[str], sizes: Sizes, store: ModelStore) -> Start:
    """The network that `base` stands for, with heads for `classes`.

    base: a model's name in the store or the catalogue (fetched if need be), a weights file (a model
    version or an ImageNet classifier), or an architecture's name for fresh weights. Raises ModelError.
    """
    path = Path(base)
    if path.is_file() and is_backbone_file(path):
        spec = _spec(backbone_architecture(path), len(classes), sizes)
        network = _fresh(spec)
        load_backbone(network, path)
        return Start(network, spec, IMAGENET_MEAN, IMAGENET_STD, f"{path.name} {sha256_of(path)[:16]}")
    if base in architectures() and base not in {listed.name for listed in store.list()}:
        spec = _spec(base, len(classes), sizes)
        return Start(_fresh(spec), spec, IMAGENET_MEAN, IMAGENET_STD, None)
    version = store.obtain(base)
    card = version.card
    spec = NetworkSpec(
        card.spec.architecture,
        len(classes),
        anchor_base=card.spec.anchor_base,
        min_size=sizes.min_size,
        max_size=sizes.max_size,
        norm_eps=card.spec.norm_eps,
        prompts=True,
    )
    network = _fresh(spec)
    _copy(load_network(version), card, network, classes)
    return Start(network, spec, card.mean, card.std, f"{card.name} {card.sha256[:16]}")


def _spec(architecture: str, num_classes: int, sizes: Sizes) -> NetworkSpec:
    return NetworkSpec(
        architecture,
        num_classes,
        anchor_base=sizes.anchor_base,
        min_size=sizes.min_size,
        max_size=sizes.max_size,
        prompts=True,
    )


def _fresh(spec: NetworkSpec) -> FasterRCNN:
    """Fresh weights whose first guesses are near nothing, so that the first steps do not undo the base."""
    network = build(spec)
    set_roi_scales(network)
    heads = cast(RoIHeads, network.roi_heads)
    last = [(heads.box_predictor.cls_score, 0.01), (heads.box_predictor.bbox_pred, 0.001)]
    if heads.has_mask():
        last.append((heads.mask_predictor.mask_fcn_logits, MASK_SPREAD))
    for layer, spread in last:
        nn.init.normal_(layer.weight, std=spread)
        nn.init.zeros_(layer.bias)
    return network


@torch.no_grad()
def _copy(source: FasterRCNN, card: ModelCard, target: FasterRCNN, classes: Sequence[str]) -> None:
    """All weights of `source`; in the layers with a row a class, the rows of classes of the same name."""
    rows = [(0, 0)]
    rows += [(card.classes.index(n) + 1, i + 1) for i, n in enumerate(classes) if n in card.classes]
    theirs = source.state_dict()
    for key, tensor in target.state_dict().items():
        if _is_per_class(key):
            _copy_rows(theirs[key], tensor, rows, 4 if ".bbox_pred." in key else 1)
        elif key in theirs:  # a base from before has no branch for prompts
            tensor.copy_(theirs[key])


def _is_per_class(key: str) -> bool:
    return ".box_predictor." in key or ".mask_fcn_logits." in key


def _copy_rows(source: Tensor, target: Tensor, rows: Sequence[tuple[int, int]], group: int) -> None:
    for old, new in rows:
        target[new * group : (new + 1) * group] = source[old * group : (old + 1) * group]


def freeze(network: FasterRCNN, recipe: Recipe, *, live_norm: bool) -> None:
    """Keep the first stages of the body as they are, and all BatchNorm unless it is to live.

    Two pictures a step are too few to learn from their statistics, and edges and colours need no
    learning again.
    """
    body = body_of(network)
    tops = list(body.return_layers)
    last = tops[recipe.frozen_stages - 2] if recipe.frozen_stages >= 2 else None
    for name, stage in body.named_children():
        if recipe.frozen_stages == 0 or (last is None and name in tops):
            break
        stage.requires_grad_(False)
        if name == last:
            break
    if not live_norm:
        _freeze_norm(network)


def _freeze_norm(network: FasterRCNN) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval().requires_grad_(False)


def freeze_all_but_prompts(network: FasterRCNN) -> None:
    """Keep everything as it is, the statistics too, but for the branch for prompts."""
    network.requires_grad_(False)
    _freeze_norm(network)
    if (head := prompt_head(network.roi_heads)) is not None:
        head.requires_grad_(True)


def default_name(data: Path) -> str:
    """A model's name for a data set: that of its folder, or of the file's folder and the file."""
    return name_from(data.name if data.is_dir() else f"{data.parent.name}-{data.stem}")
