"""A tiny network as if torchvision had published it, on a server of this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from engine.models import store as store_module
from engine.models.coco import CatalogueEntry, EntrySource
from engine.models.families import build
from engine.models.spec import NetworkSpec

from .server import FileServer


class Published:
    """Takes the whole catalogue's place."""

    def __init__(
        self, folder: Path, server: FileServer, patch: pytest.MonkeyPatch, spec: NetworkSpec
    ) -> None:
        torch.manual_seed(2)
        self.network = build(spec)
        folder.mkdir()
        torch.save(self.network.state_dict(), folder / "saved.pth")
        self.content = (folder / "saved.pth").read_bytes()
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        self.file = (folder / "saved.pth").rename(folder / f"net_coco-{self.sha256[:8]}.pth")
        classes = tuple(f"c{i}" for i in range(spec.num_classes))
        self.source = EntrySource(f"{server.url}/m/{self.file.name}", classes, {"mask_ap": 0.3})
        server.does.content = self.content
        entry = CatalogueEntry(spec.architecture, "Test_Weights", 1, norm_eps=0.0)
        patch.setattr(store_module, "CATALOGUE", {entry.name: entry})
        patch.setattr(EntrySource, "of", lambda _entry: self.source)
        patch.delenv("MASKWRIGHT_MIRROR", raising=False)
