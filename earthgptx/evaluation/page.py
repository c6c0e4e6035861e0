"""A report as one HTML page that needs nothing else: tables, confusion, intervals, and cases drawn.

Pictures are inlined, small; there is no script, no font and no address to load anything from.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from earthgptx.evaluation.cases import Case
from earthgptx.evaluation.pictures import case_picture, words_of
from earthgptx.evaluation.report import Report, Table

PICTURE_QUALITY = 72
MOST_CLASSES = 40  # rows and columns of the confusion that are shown

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1c1e24; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left; }
.number { text-align: right; white-space: nowrap; }
.confusion td { text-align: right; } .confusion th { font-weight: normal; }
.confusion thead th { writing-mode: vertical-rl; transform: rotate(180deg); }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.right { color: #16783c; } .wrong { color: #ba2020; } .quiet { color: #666; }
"""


def to_html(
    report: Report, *, worst: Sequence[Case], best: Sequence[Case], data: Path | None, pictures_note: str = ""
) -> str:
    """The page.

    Args:
        report: the numbers.
        worst, best: cases to draw, in order.
        data: the folder of the data sets; None draws no picture, the words stay.
        pictures_note: a sentence on how cases were chosen or why they have no picture.
    """
    title = f"{report.benchmark}: {report.settings.get('model') or 'predictions'}"
    blocks = [f"<h1>{escape(title)}</h1>"]
    if notes := report.scores.notes:
        blocks.append("".join(f"<p>{escape(note)}</p>" for note in notes))
    for table in report.tables():
        heading = f"<h2>{escape(table.title)}</h2>" if table.title else ""
        blocks.append(heading + _table(table))
    if report.scores.confusion:
        blocks.append("<h2>Confusion: the true class down, the answer across</h2>")
        blocks.append(_confusion(report.scores.confusion))
    if pictures_note:
        blocks.append(f'<p class="quiet">{escape(pictures_note)}</p>')
    for heading, cases in (("Worst answers", worst), ("Best answers", best)):
        if cases:
            figures = "".join(_figure(case, data) for case in cases)
            blocks.append(f'<h2>{heading}</h2><div class="cases">{figures}</div>')
    settings = Table("", ("setting", "value"), tuple((name, str(value)) for name, value in report.settings.items()))
    blocks.append("<h2>How it was measured</h2>" + _table(settings))
    counts = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in report.scores.counts.items())
    blocks.append(f"<p>{escape(counts)}</p>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(blocks) + "\n</body></html>\n"
    )


def _table(table: Table) -> str:
    numbers = [all(_is_number(row[place]) for row in table.rows) for place in range(len(table.head))]
    head = "".join(
        f"<th{' class=number' if is_number else ''}>{escape(name)}</th>"
        for name, is_number in zip(table.head, numbers, strict=True)
    )
    rows = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in table.rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(text: str) -> str:
    return f"<td{' class=number' if _is_number(text) else ''}>{escape(text.strip('*'))}</td>"


def _is_number(text: str) -> bool:
    return not text or text.replace(" to ", "").replace(".", "").replace("-", "").replace("+", "").isdecimal()


def _confusion(confusion: Mapping[str, Mapping[str, int]]) -> str:
    """A table of true against answered classes, the most frequent ones; a cell is the darker the larger its share."""
    totals = {truth: sum(row.values()) for truth, row in confusion.items()}
    truths = sorted(sorted(totals, key=lambda name: -totals[name])[:MOST_CLASSES])
    said_often: dict[str, int] = {}
    for row in confusion.values():
        for said, count in row.items():
            said_often[said] = said_often.get(said, 0) + count
    others = [said for said in sorted(said_often, key=lambda name: -said_often[name]) if said not in truths]
    columns = truths + others[: max(0, MOST_CLASSES - len(truths))]
    head = "<th></th>" + "".join(f"<th>{escape(said)}</th>" for said in columns)
    rows = []
    for truth in truths:
        cells = []
        for said in columns:
            count = confusion[truth].get(said, 0)
            share = count / totals[truth]
            colour = "22,120,60" if said == truth else "186,32,32"
            style = f' style="background:rgba({colour},{0.1 + 0.6 * share:.2f})"' if count else ""
            cells.append(f"<td{style}>{count or ''}</td>")
        rows.append(f"<tr><th>{escape(truth)}</th>{''.join(cells)}</tr>")
    left_out = len(totals) - len(truths) + len(others) - (len(columns) - len(truths))
    note = (
        f'<p class="quiet">{left_out} rarer names are left out here; the JSON report has all.</p>' if left_out else ""
    )
    table = f'<table class="confusion"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="scroll">{table}</div>{note}'


def _figure(case: Case, data: Path | None) -> str:
    picture = None if data is None else case_picture(case, data)
    image = "" if picture is None else f'<img alt="{escape(case.prediction.key)}" src="{_inlined(picture)}">'
    classes = {True: "right", False: "wrong", None: "quiet"}
    words = "".join(f'<div class="{classes[is_right]}">{escape(text)}</div>' for text, is_right in words_of(case))
    about = f"{case.prediction.sensor}, {case.measure} {case.score:.2f}, {case.prediction.key}"
    return f'<figure>{image}<figcaption>{words}<div class="quiet">{escape(about)}</div></figcaption></figure>'


def _inlined(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, format="WEBP", quality=PICTURE_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
