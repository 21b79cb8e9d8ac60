"""A store of each test's own with a small model in it, which is made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.models.store import ModelStore
from tests.engine.tuning.making import base_model


@pytest.fixture(scope="session")
def base_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model `base`."""
    return base_model(tmp_path_factory.mktemp("base")).root


@pytest.fixture
def models(tmp_path: Path, base_files: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """The store that everything uses, with `base` in it."""
    root = tmp_path / "models"
    shutil.copytree(base_files, root)
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(root))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return ModelStore(root)
