"""One HTML page, complete in itself, that shows the demo's scenes with their answers.

In come pictures and words, out comes a string of HTML: images are embedded, nothing is fetched, no script
runs. It knows nothing of models; `demo.py` fills it.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

_JPEG_QUALITY = 88
_UNTOUCHED = "Nothing: the 8-bit values are shown as they are."

_STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #ffffff; --ink: #16202c; --quiet: #5b6775;
  --line: #dfe4ea; --accent: #0b6bcb; --good: #0a7a43; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0e1319; --card: #171e26; --ink: #e8edf3; --quiet: #9aa7b5; --line: #2a343f;
    --accent: #6db3ff; --good: #5fd39a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 1360px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 36px; padding-bottom: 12px; }
h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.01em; }
header p, footer p { color: var(--quiet); max-width: 72ch; margin: 0 0 8px; }
main { display: grid; gap: 20px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); }
article { background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden;
  display: flex; flex-direction: column; min-width: 0; }
.text { padding: 16px 18px 18px; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 2px; }
.facts { color: var(--quiet); font-size: 0.875rem; margin: 0 0 12px; }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 999px; padding: 0 9px;
  font-size: 0.75rem; font-weight: 600; color: var(--accent); margin-right: 6px; }
.rendered { color: var(--bad); }
figure { margin: 0; position: relative; background: #000; }
figure img { display: block; width: 100%; height: auto; }
figure .bare { position: absolute; inset: 0; opacity: 0; }
.toggle:checked + figure .bare { opacity: 1; }
.toggle { position: absolute; opacity: 0; }
.switch { display: block; padding: 8px 18px; font-size: 0.875rem; color: var(--accent); cursor: pointer;
  border-bottom: 1px solid var(--line); }
.switch .show, .toggle:checked ~ .switch .hide { display: none; }
.toggle:checked ~ .switch .show { display: inline; }
.toggle:focus-visible ~ .switch { outline: 2px solid var(--accent); outline-offset: -4px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 10px 6px 0; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--quiet); font-size: 0.8125rem; }
td.number, th.number { text-align: right; padding-right: 18px; }
@media (max-width: 520px) {
  thead { position: absolute; clip-path: inset(50%); }
  tr { display: grid; grid-template-columns: 5.2em 1fr auto; padding: 6px 0; border-bottom: 1px solid var(--line); }
  td, td.number { border: 0; padding: 1px 0; order: 2; }
  td:nth-child(1), td:nth-child(3), td:nth-child(4) { order: 1; }
  td:nth-child(3) { font-weight: 600; }
  td:nth-child(5) { order: 3; }
  td:nth-child(6)::before { content: "person: "; color: var(--quiet); } }
@media (min-width: 1100px) {
  article:last-child:nth-child(odd) { grid-column: 1 / -1; display: grid; grid-template-columns: 1fr 1fr;
    grid-template-rows: auto 1fr; }
  article:last-child:nth-child(odd) figure { grid-row: 1 / 3; }
  article:last-child:nth-child(odd) :is(.switch, .text) { grid-column: 2; } }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.swatch { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 2px; border: 1px solid #0006; }
dl { margin: 14px 0 0; }
dt { color: var(--quiet); font-size: 0.875rem; }
dd { margin: 0 0 10px; overflow-wrap: anywhere; }
details { margin-top: 12px; font-size: 0.875rem; color: var(--quiet); }
summary { cursor: pointer; }
details ul { padding-left: 18px; margin: 6px 0 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
footer { padding-top: 24px; padding-bottom: 40px; font-size: 0.875rem; }
"""


@dataclass(frozen=True)
class RegionRow:
    """One line of a scene's table.

    Attributes:
        number: the region's number, as in the picture.
        kind: of the mark: "box", "point", ...
        colour: of the mark in the picture, (red, green, blue).
        label: the model's answer, empty where it gave none.
        confidence: mean token probability of the label, 0 to 1.
        mask_pixels: size of the mask that was answered, None for no mask.
        truth: what a person sees there.
    """

    number: int
    kind: str
    colour: tuple[int, int, int]
    label: str
    confidence: float
    mask_pixels: int | None
    truth: str


@dataclass(frozen=True)
class SceneEntry:
    """One card of the page.

    Attributes:
        name: short, unique on the page.
        title, sensor, ground, attribution: about the scene, in words.
        is_rendered: the picture is a drawing and must say so.
        bare: the scene as it was given to the model.
        drawn: the same with marks, masks and labels.
        rows: one a region.
        dialogue: (question, answer) pairs about the whole scene.
        seconds: what the questions took together.
        notes: what was done to the pixels.
        files: names of the files beside the page that belong to the scene.
    """

    name: str
    title: str
    sensor: str
    ground: str
    attribution: str
    is_rendered: bool
    bare: Image.Image
    drawn: Image.Image
    rows: tuple[RegionRow, ...]
    dialogue: tuple[tuple[str, str], ...]
    seconds: float
    notes: tuple[str, ...]
    files: tuple[str, ...]


def build_page(entries: Sequence[SceneEntry], *, model: str, facts: str) -> str:
    """The whole page.

    Args:
        entries: one a scene, in order.
        model: the model's name.
        facts: a sentence on the run (machine, time), shown in the head.
    """
    cards = "\n".join(_card(entry) for entry in entries)
    texts = dict.fromkeys(entry.attribution for entry in entries)
    credit = "\n".join(f"<p>{html.escape(text)}</p>" for text in texts)
    right = sum(_is_right(row) for entry in entries for row in entry.rows)
    total = sum(len(entry.rows) for entry in entries)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>EarthGPT-X: marked regions on three sensors</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>What is marked here? Three sensors, one model</h1>
<p>Every mark below lies on an object, and the model <b>{html.escape(model)}</b> was asked what it is, which
pixels belong to it, what the scene shows and how many there are. Answers are shown as they came: {right} of
{total} regions were named as a person names them. None of these scenes was trained on.</p>
<p>{html.escape(facts)}</p>
</header>
<main>
{cards}
</main>
<footer>
{credit}
</footer>
</body>
</html>
"""


def _card(entry: SceneEntry) -> str:
    """One scene: picture with a switch, table of regions, answers on the whole, notes on the pixels."""
    name, title = html.escape(entry.name), html.escape(entry.title)
    badge = f'<span class="badge">{html.escape(entry.sensor)}</span>'
    if entry.is_rendered:
        badge += '<span class="badge rendered">rendered</span>'
    rows = "\n".join(_row(row) for row in entry.rows)
    dialogue = "\n".join(_exchange(question, answer) for question, answer in entry.dialogue)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in entry.notes or (_UNTOUCHED,))
    files = ", ".join(f'<a href="{html.escape(file)}">{html.escape(file)}</a>' for file in entry.files)
    return f"""<article>
<input class="toggle" type="checkbox" id="bare-{name}">
<figure>
<img class="drawn" src="{_embedded(entry.drawn)}" alt="{title}, with marks, masks and labels">
<img class="bare" src="{_embedded(entry.bare)}" alt="{title}, without marks">
</figure>
<label class="switch" for="bare-{name}"><span class="hide">Hide the answers</span>
<span class="show">Show the answers</span></label>
<div class="text">
<h2>{title}</h2>
<p class="facts">{badge}{html.escape(entry.ground)} &middot; {entry.seconds:.1f} s for all questions</p>
<div class="wide"><table>
<thead><tr><th>Region</th><th>Mark</th><th>Answer</th><th class="number">Confidence</th>
<th class="number">Mask</th><th>A person sees</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
<dl>
{dialogue}
</dl>
<p class="facts">{files}</p>
<details><summary>What was done to the pixels</summary><ul>{notes}</ul></details>
</div>
</article>"""


def _row(row: RegionRow) -> str:
    """One region's line; right and wrong are said by word and not by colour alone."""
    verdict = '<span class="good">same</span>' if _is_right(row) else '<span class="bad">differs</span>'
    red, green, blue = row.colour
    mask = "none" if row.mask_pixels is None else f"{row.mask_pixels:,} px"
    return (
        f'<tr><td><span class="swatch" style="background:rgb({red},{green},{blue})"></span> {row.number}</td>'
        f"<td>{html.escape(row.kind)}</td><td>{html.escape(row.label) or '(none)'}</td>"
        f'<td class="number">{row.confidence:.0%}</td><td class="number">{mask}</td>'
        f"<td>{html.escape(row.truth)} {verdict}</td></tr>"
    )


def _exchange(question: str, answer: str) -> str:
    """One question on the whole scene and its answer."""
    return f"<dt>{html.escape(question)}</dt><dd>{html.escape(answer) or '(no words)'}</dd>"


def _is_right(row: RegionRow) -> bool:
    """Whether the model's words are the person's."""
    return row.label.strip().lower() == row.truth.lower()


def _embedded(picture: Image.Image) -> str:
    """The picture as a data address."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, format="JPEG", quality=_JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
