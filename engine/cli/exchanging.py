"""The work behind `import`, `merge` and `export`: run, show progress, say what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from engine.cli.console import Display, say
from engine.errors import DataError
from engine.exchange.exporting import ExportOptions, ExportReport, export
from engine.exchange.importing import Prepared, Summary, home_of, locate, prepare
from engine.exchange.merging import prepare_merge
from engine.project import Project
from engine.project.bulk import Imported
from engine.project.location import DATABASE_NAME, PROJECT_DIR


class _Pace:
    """Progress over a number of images that may not be known before the end."""

    def __init__(self, display: Display) -> None:
        self._display, self._began, self._last = display, time.monotonic(), 0.0

    def __call__(self, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if now - self._last < 0.1:
            return
        self._last = now
        rate = done / max(now - self._began, 1e-6)
        of = f" of {total:,}" if total else ""
        left = f" · {(total - done) / rate:.0f} s left" if total and rate > 0 else ""
        facts = f"{done:,}{of} images · {rate:,.0f} images/s{left}"
        self._display.show(done, facts, f"{self._display.doing}: {facts}")


def take_in(
    source: Path,
    *,
    images: Path | None,
    format_name: str | None,
    dry_run: bool,
    skip_broken: bool,
    reviewed: bool | None,
) -> tuple[Summary, Imported | None]:
    """Read, say what would come, and take it in unless it is only a look. Raises MaskwrightError."""
    with _prepared(source, images, format_name) as prepared:
        summary = prepared.summary
        for line in summary.lines():
            say(line)
        if summary.broken and not skip_broken and not dry_run:
            raise DataError(
                f"{source} has {summary.broken:,} broken parts, so nothing was imported: mend them, or say "
                "--skip-broken to leave them out."
            )
        if not summary.images:
            raise DataError(
                f"No picture that {source} names is in {summary.folder}: name their folder with --images."
            )
        if dry_run:
            say("Nothing was changed.")
            return summary, None
        by_people = not summary.has_scores if reviewed is None else reviewed
        done = _commit(prepared, by_people)
        return summary, done


def _prepared(source: Path, images: Path | None, format_name: str | None) -> Prepared:
    _, format_, folder = locate(source, images=images, format_name=format_name)
    with Display("read", 0, counted=False) as display, ExitStack() as stack:
        project = None
        if _has_project(folder):  # it knows sizes, and what is reviewed already
            project = stack.enter_context(Project.open(folder, read_only=True))
        return prepare(source, images=folder, format_name=format_.name, project=project, told=_Pace(display))


def _has_project(folder: Path) -> bool:
    return (folder / PROJECT_DIR / DATABASE_NAME).is_file()


def _commit(prepared: Prepared, reviewed: bool) -> Imported:
    with _writable(prepared.summary.folder) as project:
        return _put(prepared, project, reviewed)


def take_project_in(
    folder: Path, other: Path, *, copy_pictures: bool, dry_run: bool
) -> tuple[Summary, Imported | None]:
    """Merge another project into that of a folder, saying what would come first. Raises MaskwrightError."""
    with _writable(home_of(folder.resolve())) as project:
        with Display("read", 0, counted=False) as display:
            prepared = prepare_merge(other, project, told=_Pace(display))
        with prepared:
            prepared.copies_pictures = copy_pictures
            for line in prepared.summary.lines():
                say(line)
            if dry_run:
                say("Nothing was changed.")
                return prepared.summary, None
            return prepared.summary, _put(prepared, project, False)


@contextmanager
def _writable(folder: Path) -> Iterator[Project]:
    """The folder's project as its folder is now. Raises DataError where it cannot be written."""
    with Project.open(folder) as project:
        if project.read_only:
            raise DataError(project.read_only_reason)
        project.refresh()
        yield project


def _put(prepared: Prepared, project: Project, reviewed: bool) -> Imported:
    summary = prepared.summary
    with Display("import", summary.images, counted=False) as display:
        pace = _Pace(display)
        done = prepared.commit(project, reviewed=reviewed, told=lambda n: pace(n, summary.images))
    said = f"{done.instances:,} instances on {done.images:,} images imported into {summary.folder}"
    said += f" · {done.already_there:,} were there already" if done.already_there else ""
    said += f" · {done.kept:,} reviewed images left alone" if done.kept else ""
    say(said)
    return done


def write_out(folder: Path, options: ExportOptions) -> ExportReport:
    """Export a project with a display, and say what came of it. Raises MaskwrightError."""
    if not folder.is_dir():
        raise DataError(f"There is no folder called {folder}: check the name.")
    home = home_of(folder.absolute())
    with Project.open(home, read_only=True) as project, Display("export", 1, counted=False) as display:
        report = export(project, options, told=_Pace(display))
    if report.warning:
        say(f"warning: {report.warning}")
    for problem in report.unreadable[:20]:
        say(f"left out: {problem}")
    said = f"{report.instances:,} instances of {report.images:,} images in {options.out}"
    if options.shares is not None:
        said += " · " + ", ".join(f"{name} {count:,}" for name, count in report.parts.items())
    if report.proposals_left_out:
        said += f" · {report.proposals_left_out:,} proposals left out"
    say(said)
    return report


def figures(summary: Summary, done: Imported | None) -> dict[str, object]:
    """A summary ready for JSON."""
    return {
        "format": summary.format,
        "folder": str(summary.folder),
        "images": summary.images,
        "negatives": summary.negatives,
        "instances": summary.instances,
        "ignore_regions": summary.ignore_regions,
        "classes": summary.classes,
        "new_classes": list(summary.new_classes),
        "missing": summary.missing_count,
        "broken": summary.broken,
        "problems": summary.other_size + summary.problems,
        "left_out": summary.left_out,
        "reviewed_already": summary.kept,
        "imported": None if done is None else {"images": done.images, "instances": done.instances},
    }


def export_figures(report: ExportReport) -> dict[str, object]:
    """A report ready for JSON."""
    return {
        "format": report.format,
        "out": str(report.out),
        "images": report.images,
        "instances": report.instances,
        "parts": report.parts,
        "files": report.files,
        "proposals_left_out": report.proposals_left_out,
        "warning": report.warning,
        "losses": report.losses,
    }
