"""The work behind `upgrade`: boxes into the project, masks for them with a display, and the files written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.cli import batch, exchanging
from engine.cli.console import say
from engine.cli.labelling import EXIT_CANCELED, check_model
from engine.errors import DataError
from engine.exchange.exporting import ExportOptions
from engine.exchange.importing import home_of
from engine.messages import (
    Event,
    Finished,
    ImageUpgraded,
    ModelChoice,
    ModelReady,
    UpgradeBoxes,
)
from engine.upgrading import CHECK


@dataclass(slots=True)
class Report:
    """What came of one `upgrade`. doubtful: masks that a person should look at, on so many images."""

    folder: Path
    images: int = 0
    masks: int = 0
    doubtful: int = 0
    doubtful_images: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    canceled: bool = False

    def figures(self) -> dict[str, object]:
        """Everything a script may want, ready for JSON."""
        return {
            "folder": str(self.folder),
            "images": self.images,
            "masks": self.masks,
            "doubtful": self.doubtful,
            "doubtful_images": self.doubtful_images,
            "failed": len(self.failures),
            "failures": self.failures,
            "seconds": round(self.seconds, 3),
            "canceled": self.canceled,
        }

    def exit_code(self) -> int:
        """0 only if every image was done."""
        if self.canceled:
            return EXIT_CANCELED
        return 1 if self.failures else 0


def run(
    data: Path,
    choice: ModelChoice,
    *,
    take_in: bool,
    format_name: str | None,
    images: Path | None,
    skip_broken: bool,
    least_score: float,
    least_fill: float,
    limit: int | None,
) -> Report:
    """Take the boxes into their project and give them masks. Raises MaskwrightError if it cannot start."""
    check_model(choice.model, None)  # before anything is changed
    if take_in:
        summary, _ = exchanging.take_in(
            data,
            images=images,
            format_name=format_name,
            dry_run=False,
            skip_broken=skip_broken,
            reviewed=None,
        )
        folder = summary.folder
    elif data.is_dir():
        folder = home_of(data.absolute())
    else:
        raise DataError(f"There is no folder called {data}: name that of the project.")
    report = Report(folder.resolve())
    request = UpgradeBoxes(report.folder, choice, limit=limit, least_score=least_score, least_fill=least_fill)
    _give_masks(request, report)
    return report


def _give_masks(request: UpgradeBoxes, report: Report) -> None:
    def note(event: Event) -> None:
        match event:
            case ModelReady():
                say(f"model {event.name} on {event.device}")
            case ImageUpgraded():
                report.images += 1
                report.masks += event.masks
                report.doubtful += event.doubtful
                report.doubtful_images += [event.path] * (event.doubtful > 0)
            case Finished():
                report.seconds = float(event.summary["seconds"])

    batch.carry_out(request, f"masks for {request.folder.name}", report, note)


def write(report: Report, options: ExportOptions) -> None:
    """Write the project's labels, masks and all. Raises DataError."""
    exchanging.write_out(report.folder, options)


def conclude(report: Report) -> None:
    """Say in a line what came of it, and how to go on."""
    if report.canceled:
        say(f"stopped after {report.images:,} images; run the same command again to go on there")
        return
    parts = [f"{report.masks:,} boxes of {report.images:,} images have masks now"]
    if report.doubtful:
        count = len(report.doubtful_images)
        parts.append(
            f"to be looked at: {report.doubtful:,} (no mask, or one that disagrees with its box), "
            f"on {count:,} images flagged '{CHECK}'"
        )
    parts += [f"{len(report.failures)} failed"] * bool(report.failures)
    say(" · ".join(parts))
