"""A page of plain HTML: elements that escape what they hold, a style sheet for light and dark, no scripts.

Knows nothing of models and measurements.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

VOID = ("img", "source", "meta", "col")


class Html(str):
    """Text that is markup already. Any other text is escaped when it is put into an element."""

    __slots__ = ()


def el(tag: str, *content: str, **attributes: str) -> Html:
    """An element. A `_` at the end of an attribute's name is dropped: class_ is class."""
    told = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    inner = "".join(part if isinstance(part, Html) else escape(part) for part in content)
    return Html(f"<{tag}{told}>" if tag in VOID else f"<{tag}{told}>{inner}</{tag}>")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """A table whose first column names the row and whose others are numbers."""
    titles = (el("th", title, scope="col") for title in head)
    body = (
        el("tr", el("th", row[0], scope="row"), *(c if _is_cell(c) else el("td", c) for c in row[1:]))
        for row in rows
    )
    return el(
        "div", el("table", el("thead", el("tr", *titles)), el("tbody", *body)), class_="scroll", tabindex="0"
    )


def _is_cell(content: str) -> bool:
    return isinstance(content, Html) and content.startswith("<td")


def section(title: str, *content: str) -> Html:
    """A part of the page with its heading."""
    return el("section", el("h2", title), *content)


def tiles(shown: Iterable[tuple[str, str, str]]) -> Html:
    """Figures to see at a glance: (name, figure, what it says)."""
    parts = (
        el("div", el("dt", name), el("dd", figure), el("dd", said, class_="said"), class_="tile")
        for name, figure, said in shown
    )
    return el("dl", *parts, class_="tiles")


def image(data: bytes, kind: str, alt: str, *, dark: bytes | None = None, width: int | None = None) -> Html:
    """A picture inside the page, and another one for dark screens.

    kind: png or jpeg. width: in CSS pixels; None shows the picture's own.
    """
    size = {} if width is None else {"width": str(width)}
    plain = el("img", src=_data_uri(data, kind), alt=alt, **size)
    if dark is None:
        return plain
    source = el("source", srcset=_data_uri(dark, kind), media="(prefers-color-scheme: dark)", **size)
    return el("picture", source, plain)


def page(title: str, *content: str, foot: str) -> str:
    """The whole file."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("style", Html(STYLE)),
    )
    body = el("body", el("main", *content), el("footer", foot))
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


STYLE = """
:root { --paper: #fff; --back: #f5f5f2; --ink: #1c1d20; --soft: #5c6068; --line: #e0e0da; --accent: #0b6b53;
  --good: #0b6b53; --bad: #b3400a;
  --right-heat: 11, 107, 83; --wrong-heat: 179, 64, 10; --right: #009e73; --missed: #d55e00; --extra: #e69f00;
  --confused: #cc79a7; --ignored: #9a9a9a; --true: #0072b2 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #1d1f23; --back: #141518; --ink: #e9e9e6; --soft: #a0a4ac; --line: #34373d;
    --accent: #4cc9a4; --good: #4cc9a4; --bad: #ff9259;
    --right-heat: 76, 201, 164; --wrong-heat: 255, 146, 89 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.25rem 1rem }
footer { max-width: 66rem; margin: 0 auto; padding: 1rem 1.25rem 2.5rem; color: var(--soft);
  font-size: .85rem }
h1 { font-size: 1.15rem; font-weight: 600; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 1.05rem; font-weight: 600; margin: 0 0 .75rem }
p { margin: .35rem 0; max-width: 46rem }
.soft, figcaption span { color: var(--soft); font-size: .9rem }
.headline { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; font-weight: 650; letter-spacing: -.01em;
  margin: 1.4rem 0 .6rem; max-width: 40rem; text-wrap: balance }
.headline b { color: var(--accent) }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.25rem 1.4rem; margin: 1.25rem 0 }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1.6rem 0 1.25rem }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem }
.tile dt { font-size: .85rem; color: var(--soft) }
.tile dd { margin: 0; font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums }
.tile .said { font-size: .8rem; font-weight: 400; line-height: 1.35; color: var(--soft); margin-top: .2rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem }
th, td { padding: .38rem .75rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap }
thead th { color: var(--soft); font-weight: 500; vertical-align: bottom }
th:first-child { text-align: left; padding-left: 0 }
tbody th { font-weight: 500; max-width: 20rem; overflow: hidden; text-overflow: ellipsis }
tbody tr:last-child > * { border-bottom: 0 }
.good { color: var(--good) } .bad { color: var(--bad) }
img { display: block; max-width: 100%; height: auto; border-radius: 4px }
figure { margin: 1.4rem 0 0; padding-top: 1.2rem; border-top: 1px solid var(--line) }
figcaption { margin-bottom: .6rem; display: flex; flex-wrap: wrap; gap: .1rem .9rem; align-items: baseline }
figcaption b { overflow-wrap: anywhere; font-weight: 600 }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: 0; margin: .5rem 0 0; list-style: none;
  font-size: .88rem; color: var(--soft) }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .4rem;
  vertical-align: -.05rem }
details { margin-top: 1rem } summary { cursor: pointer; color: var(--soft); font-size: .9rem }
a { color: var(--accent) }
@media print { body { background: none } section, .tile, figure { break-inside: avoid } }
"""
