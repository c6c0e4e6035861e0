"""What a dataset is, in words: read from the docstring of its module, and put together to a page.

In comes a dataset's name, out comes an `About` or the page ``docs/sources.md``. No file of a dataset is opened.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from importlib import import_module

from earthgptx.data.datasets import DATASETS, DOMAINS, DatasetSource

FIELDS = ("Size", "Classes", "Layout", "Terms", "Citation", "Home")
_FIELD = re.compile(rf"^({'|'.join(FIELDS)}): ", re.MULTILINE)
_LITERAL = re.compile(r"``(.+?)``|`(.+?)`")
_DOMAIN_TITLES = {"natural": "Natural", "optical": "Optical", "sar": "SAR", "infrared": "Infrared"}

_HEAD = """# Sources

What `earthgptx data build` reads, in the form in which its publishers give it. Put the folders below one root, as
each section says under *Layout*; what is not there is named and passed over. Nothing is downloaded: follow *Home*, and
keep the *Terms*.

This page is made of the docstrings in `earthgptx/data/datasets/` by `earthgptx data list --markdown`.
"""


@dataclass(frozen=True)
class About:
    """One dataset as its module describes it.

    Attributes:
        title: its name as its authors write it.
        summary: what it is, without a full stop at the end.
        prose: paragraphs on what to know about it; may be empty.
        size, classes, layout, terms, citation, home: a text each, on one line.
    """

    title: str
    summary: str
    prose: tuple[str, ...]
    size: str
    classes: str
    layout: str
    terms: str
    citation: str
    home: str


def about(name: str) -> About:
    """The description of a dataset of the table.

    Raises:
        ValueError: its module's docstring is not in the form that `parse` reads.
    """
    return parse(import_module(f"earthgptx.data.datasets.{name}").__doc__ or "", name)


def parse(docstring: str, name: str) -> About:
    """Reads a docstring: a title and a summary, then prose, then the FIELDS, each behind its name and a colon.

    Args:
        docstring: of a dataset's module.
        name: for the message.

    Raises:
        ValueError: there is no title, or a field is missing, empty or out of order.
    """
    text = inspect.cleandoc(docstring)
    before, *rest = _FIELD.split(text)
    names, values = rest[0::2], [_on_one_line(value) for value in rest[1::2]]
    if tuple(names) != FIELDS or not all(values):
        raise ValueError(
            f"The docstring of {name} has the fields {', '.join(names) or 'none'}, not {', '.join(FIELDS)}."
        )
    first, *paragraphs = (_on_one_line(part) for part in before.strip().split("\n\n"))
    title, colon, summary = first.partition(": ")
    if not colon:
        raise ValueError(f"The docstring of {name} does not begin with a title and a colon.")
    size, classes, layout, terms, citation, home = values
    return About(
        title=title,
        summary=summary.removesuffix("."),
        prose=tuple(paragraphs),
        size=size,
        classes=classes,
        layout=layout,
        terms=terms,
        citation=citation,
        home=home,
    )


def sources_page() -> str:
    """The content of ``docs/sources.md``: a table of all datasets, and a section on each."""
    lines = [_HEAD, "| name | what it is | sensor | tasks |", "|---|---|---|---|"]
    for domain in DOMAINS:
        for source in _of_domain(domain):
            told = about(source.name)
            tasks = ", ".join(source.tasks) or "dialogues as they are"
            link = f"[{source.name}](#{source.name})"
            lines.append(f"| {link} | {_markdown(f'{told.title}: {told.summary}')} | {source.sensor} | {tasks} |")
    for domain in DOMAINS:
        lines += ["", f"## {_DOMAIN_TITLES[domain]}"]
        for source in _of_domain(domain):
            lines += ["", *_section(source.name)]
    return "\n".join(lines) + "\n"


def _of_domain(domain: str) -> list[DatasetSource]:
    return [source for source in DATASETS.values() if source.domain == domain]


def _section(name: str) -> list[str]:
    told = about(name)
    lines = [f"### {name}", "", f"**{told.title}**: {_markdown(told.summary)}.", ""]
    for paragraph in told.prose:
        lines += [_markdown(paragraph), ""]
    values = (told.size, told.classes, told.layout, told.terms, told.citation, told.home)
    return [*lines, *(f"- *{field}:* {_markdown(value)}" for field, value in zip(FIELDS, values, strict=True))]


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _markdown(text: str) -> str:
    """The text with what Markdown would take for signs made plain; what stands between backquotes is kept."""
    made: list[str] = []
    end = 0
    for found in _LITERAL.finditer(text):
        made += [_plain(text[end : found.start()]), f"`{found.group(1) or found.group(2)}`"]
        end = found.end()
    return "".join([*made, _plain(text[end:])])


def _plain(text: str) -> str:
    return re.sub(r"([*_<>|])", r"\\\1", text)
