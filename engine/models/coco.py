"""The catalogue of models trained on COCO that torchvision publishes, and how each is to be read.

The addresses are torchvision's own and are asked of it at run time. It publishes the first 8 digits
of each file's SHA-256, as part of the file's name; those are verified, and the full hash of what
arrived is recorded in the model's card. The full hashes are not published, so they are not pinned.

The catalogue itself needs no torch; `EntrySource.of` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import urlsplit

from engine.errors import ModelError

_UNUSED = "N/A"  # COCO's category ids run to 90; ten of them were never used


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that can be downloaded. Its name is that of the architecture.

    weights: the class in `torchvision.models.detection` that knows the file. mebibytes: its size, for
    people to see before they ask for it.
    """

    name: str
    weights: str
    mebibytes: int
    norm_eps: float = 1e-5


# The first two were trained with eps 0 in their frozen BatchNorm; torchvision sets it when it loads them.
CATALOGUE = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            CatalogueEntry("maskrcnn_resnet50_fpn", "MaskRCNN_ResNet50_FPN_Weights", 170, norm_eps=0.0),
            CatalogueEntry("fasterrcnn_resnet50_fpn", "FasterRCNN_ResNet50_FPN_Weights", 160, norm_eps=0.0),
            CatalogueEntry("maskrcnn_resnet50_fpn_v2", "MaskRCNN_ResNet50_FPN_V2_Weights", 177),
            CatalogueEntry("fasterrcnn_resnet50_fpn_v2", "FasterRCNN_ResNet50_FPN_V2_Weights", 167),
            CatalogueEntry("ssd300_vgg16", "SSD300_VGG16_Weights", 136),
            CatalogueEntry("ssdlite320_mobilenet_v3_large", "SSDLite320_MobileNet_V3_Large_Weights", 13),
        )
    }
)


@dataclass(frozen=True, slots=True)
class EntrySource:
    """What torchvision says of an entry's file. metrics: AP on a 0-1 scale on COCO val2017."""

    url: str
    classes: tuple[str, ...]
    metrics: dict[str, float]

    @staticmethod
    def of(entry: CatalogueEntry) -> EntrySource:
        """Ask torchvision. Imports torch."""
        from torchvision.models import detection

        weights = getattr(detection, entry.weights).COCO_V1
        published = weights.meta["_metrics"]["COCO-val2017"]
        return EntrySource(
            url=weights.url,
            classes=coco_classes(weights.meta["categories"]),
            metrics={key.replace("_map", "_ap"): value / 100 for key, value in published.items()},
        )

    @property
    def file_name(self) -> str:
        """The file's name on the server and on every mirror."""
        return PurePosixPath(urlsplit(self.url).path).name

    @property
    def sha256_prefix(self) -> str:
        """The digits between the last '-' and the extension: the beginning of the file's SHA-256."""
        prefix = PurePosixPath(self.file_name).stem.rpartition("-")[2]
        if len(prefix) < 8 or set(prefix) - set("0123456789abcdef"):
            raise ModelError(
                f"{self.file_name} does not tell its SHA-256, so it cannot be verified; refused."
            )
        return prefix


def coco_classes(categories: list[str]) -> tuple[str, ...]:
    """torchvision's names without background; ids that COCO never used become `unused_ID`."""
    return tuple(
        f"unused_{label}" if name == _UNUSED else name for label, name in enumerate(categories) if label
    )
