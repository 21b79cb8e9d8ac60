"""The documentation is of the program as it is: generated pages, numbers, sections and pictures."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest

import main
from engine.models.store import default_store
from engine.models.version import load_network
from engine.predict.predictor import Predictor
from gui.commands import load_all
from gui.commands.registry import COMMANDS
from tests import doc_pages
from tests.explain_pictures import MOST_BYTES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]


@pytest.mark.parametrize("name", doc_pages.PAGES)
def test_that_the_pages_made_from_the_program_are_up_to_date(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == doc_pages.PAGES[name](), f"run `{doc_pages.AGAIN}`"


def section_of(title: str) -> str:
    """The name of a section as a link's end: small letters, dashes for spaces, no other signs."""
    return re.sub(r"[^\w\- ]", "", title.casefold()).replace(" ", "-")


def test_that_links_to_sections_lead_to_sections() -> None:
    missing = []
    for page in PAGES:
        for target, section in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
            aim = (page.parent / target) if target else page
            titles = re.findall(r"^#+ (.+)$", aim.read_text(encoding="utf-8"), re.MULTILINE)
            if section not in map(section_of, titles):
                missing.append(f"{page.name}: {target}#{section}")
    assert missing == []


def told_by_the_program() -> str:
    """Every text in the sources, a "…" for what is filled in."""
    told = []
    for path in [*(ROOT / "engine").rglob("*.py"), *(ROOT / "gui").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                told.append(
                    "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                told.append(re.sub(r"{[^}]*}", "…", node.value))
    return "\n".join(told).casefold()


def explained_sentences() -> list[str]:
    """The first column of the tables that tell what a sentence means."""
    tables = re.compile(r"^\| (?:sentence|the sheet says) \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
    texts = [(DOCS / page).read_text(encoding="utf-8") for page in ("trouble.md", "fine-tuning.md")]
    rows = [row for text in texts for table in tables.findall(text) for row in table.splitlines()]
    return [row.split("|")[1].strip() for row in rows]


def test_that_the_sentences_that_are_explained_are_the_programs() -> None:
    sources, sentences = told_by_the_program(), explained_sentences()
    assert len(sentences) > 25
    assert [
        sentence
        for sentence in sentences
        if any(part.strip(" ,.:;'") not in sources for part in sentence.casefold().split("…"))
    ] == []


def test_that_the_menus_hold_what_the_pages_name() -> None:
    """`**Model > Model versions**` is the command of that title in that menu, or a menu of that name."""
    load_all()
    known = {(*one.menu[:1], one.plain_title) for one in COMMANDS.values()}
    known |= {one.menu for one in COMMANDS.values()}
    named = [
        (page.name, *name.split(" > "))
        for page in PAGES
        for name in re.findall(r"\*\*([A-Z]\w+ > [^*]+)\*\*", page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 10
    panels = ("View", "Panels")  # the window fills that menu itself
    assert [one for one in named if one[1:] not in known and one[1:3] != panels] == []


def test_that_the_keys_that_the_pages_name_do_something() -> None:
    load_all()
    known = {keys.replace("Return", "Enter") for one in COMMANDS.values() for keys in one.shortcuts}
    named = [
        (page.name, keys)
        for page in PAGES
        if page.name != "shortcuts.md"
        for keys in re.findall(r"`([A-Z]|F\d+|(?:Ctrl|Shift|Alt)\+[^`]+)`", page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 30
    assert [one for one in named if one[1] not in known] == []


def shown_commands() -> list[tuple[str, list[str]]]:
    """Page and words of every command line that the pages show, in a line of its own or within one."""
    pattern = re.compile(r"(?:^|`)(?:\S*python |\S*/)(?:main\.py|maskwright) ([^`\n#]+)", re.MULTILINE)
    return [
        (page.name, line.split())
        for page in PAGES
        if page.name != "command-line.md"
        for line in pattern.findall(page.read_text(encoding="utf-8"))
    ]


def test_that_the_pages_show_only_commands_and_options_that_exist() -> None:
    context, unknown, shown = click.Context(main.cli), [], shown_commands()
    assert len(shown) > 25
    for page, words in shown:
        if not words or (len(words) == 1 and words[0] not in main.COMMANDS):
            continue  # the window, on a folder or none
        command: click.Command | None = main.cli
        rest = list(words)
        while isinstance(command, click.Group) and rest and rest[0] != "COMMAND":
            command = command.get_command(context, rest.pop(0))
        options = {word.strip("[]") for word in rest if word.strip("[]").startswith("--")} - {"--help"}
        known = {name for one in command.params for name in one.opts} if command else set[str]()
        if command is None or options - known:
            unknown.append((page, " ".join(words)))
    assert unknown == []


def test_that_the_index_leads_to_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if f"({page.name})" not in index] == ["README.md"]


def test_that_the_pictures_of_the_network_are_small_and_all_shown() -> None:
    drawn = sorted((DOCS / "pictures").glob("explain_*.png"))
    text = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
    assert len(drawn) >= 5
    assert [path.name for path in drawn if f"(pictures/{path.name})" not in text] == []
    assert sum(path.stat().st_size for path in drawn) <= MOST_BYTES, "python -m tests.explain_pictures"


def test_that_the_numbers_of_how_it_works_are_those_of_the_program() -> None:
    version = default_store().resolve("starter")
    network = Predictor(load_network(version), version.card).network
    rpn, heads = network.rpn, network.roi_heads
    box, mask = heads.box_roi_pool.output_size, heads.mask_roi_pool.output_size
    text = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| (.+?) \| (\S.*?) \|$", text[text.index("## The numbers") :], re.MULTILINE))
    assert {name: number for name, number in table.items() if name in WORDS} == {
        WORDS[0]: str(rpn.anchor_generator.num_anchors_per_location()[0]),
        WORDS[1]: str(rpn.pre_nms_top_n()),
        WORDS[2]: f"{rpn.nms_thresh}",
        WORDS[3]: str(rpn.post_nms_top_n()),
        WORDS[4]: f"{box[0]} × {box[1]}",
        WORDS[5]: f"{heads.score_thresh}",
        WORDS[6]: f"{heads.nms_thresh}",
        WORDS[7]: str(heads.detections_per_img),
        WORDS[8]: f"{mask[0]} × {mask[1]}",
        WORDS[9]: f"{2 * mask[0]} × {2 * mask[1]}",
    }


WORDS = (
    "anchors of a cell",
    "best anchors of a level that stage one compares",
    "IoU above which stage one drops the lower score",
    "proposals that reach stage two",
    "cells that the box head reads",
    "score that a detection must be over",
    "IoU above which stage two drops the lower score",
    "detections of a picture at most",
    "cells that the mask head reads",
    "cells of a mask",
)
