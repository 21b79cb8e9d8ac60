"""The sample project of the first run: copies of the bundled pictures in a folder of the person's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import platformdirs

from engine.errors import MediaError

SAMPLES = Path(__file__).resolve().parents[1] / "resources" / "samples"
_NAME = "Maskwright samples"


def sample_project() -> Path:
    """The folder with the samples, made where it is not there yet. Raises MediaError.

    It lies among the person's documents, or with the program's data where those cannot be written.
    """
    refusal: OSError | None = None
    for parent in (
        platformdirs.user_documents_path(),
        platformdirs.user_data_path("maskwright", appauthor=False),
    ):
        folder = parent / _NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for picture in SAMPLES.glob("*.jpg"):
                if not (folder / picture.name).exists():
                    shutil.copyfile(picture, folder / picture.name)
        except OSError as error:
            refusal = error
        else:
            return folder
    raise MediaError(f"The sample pictures cannot be copied to {folder}: {refusal}.")
