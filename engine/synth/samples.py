"""The sample pictures that come with Maskwright: `python -m engine.synth.samples` renders them anew.

Test pictures, chosen for variety by eye before any model had seen them; their seeds lie outside
those of the sets that the starter model is trained and measured on. They hold springs too, which the
starter does not know: the demo teaches it.
"""

from __future__ import annotations

from pathlib import Path

import click

from engine.synth.write import write_seeds

SAMPLES = Path(__file__).resolve().parents[2] / "resources" / "samples"

# fmt: off
SEEDS = (
    900003, 900004, 900006, 900007, 900010, 900011, 900012, 900013, 900014, 900018, 900019,
    900020, 900023, 900024, 900025, 900026, 900028, 900029, 900030, 900033, 900034, 900035,
)
# fmt: on
SIZE = (512, 384)
_QUALITY = 88  # keeps them under 2 MB


def main() -> None:
    """Renders the samples into `resources/samples`."""
    for old in SAMPLES.glob("tray_*.jpg"):
        old.unlink()
    write_seeds(SAMPLES, SEEDS, split="test", sizes=(SIZE,), extra_class=True, quality=_QUALITY)
    click.echo(SAMPLES)


if __name__ == "__main__":
    main()
