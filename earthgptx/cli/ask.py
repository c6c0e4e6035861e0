"""`earthgptx ask`: an image, marks and a question become words, masks and files.

Everything that can be wrong with the input is found before the model is loaded.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand

from earthgptx.cli import speaking

if TYPE_CHECKING:
    from earthgptx.geo.big_scene import BigScene
    from earthgptx.geo.scene_answer import SceneAnswer
    from earthgptx.geo.windows import View
    from earthgptx.shapes import Mark

LARGEST_SEED = 2**63 - 1  # what a random generator of torch takes
TEMPERATURES = (0.01, 10.0)  # below, numbers overflow; above, every word is as likely as any other
VIEWS = ("auto", "zoom", "overview")
MARK_OPTIONS = ("box", "point", "circle", "ellipse", "polygon", "scribble", "marks")


class MarksInOrder(TyperCommand):
    """A verb that remembers in which order marks of different kinds were given.

    The parser collects `--box` and `--point` in separate lists; the order across them numbers the regions.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses, and leaves the names of the mark options in `ctx.meta["mark_order"]`, one a value."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta["mark_order"] = [option.name for option in given if option.name in MARK_OPTIONS]
        return super().parse_args(ctx, args)


def ask(
    ctx: typer.Context,
    image: Annotated[Path, typer.Argument(help="PNG, JPEG, TIFF or GeoTIFF (best: a COG), of any size.")],
    question: Annotated[str, typer.Argument(help="In plain language; <Region 2> names the second mark.")],
    sensor: Annotated[str, typer.Option(help="optical, sar, infrared, or auto to guess.")] = "auto",
    box: Annotated[list[str] | None, typer.Option(metavar="X0,Y0,X1,Y1", help="A box, in pixels.")] = None,
    point: Annotated[list[str] | None, typer.Option(metavar="X,Y", help="A click.")] = None,
    circle: Annotated[list[str] | None, typer.Option(metavar="X,Y,R", help="A circle.")] = None,
    ellipse: Annotated[list[str] | None, typer.Option(metavar="X,Y,RX,RY", help="An ellipse.")] = None,
    polygon: Annotated[list[str] | None, typer.Option(metavar="X,Y,X,Y,...", help="An outline.")] = None,
    scribble: Annotated[list[str] | None, typer.Option(metavar="X,Y,X,Y,...", help="A stroke.")] = None,
    marks: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="GeoJSON, GeoPackage, ...: degrees or the file's own system, else pixels."),
    ] = None,
    view: Annotated[str, typer.Option(help="What is seen around marks: auto, zoom or overview.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON and nothing else.")] = False,
    save: Annotated[Path | None, typer.Option(help="Write the annotated picture here.")] = None,
    geojson: Annotated[Path | None, typer.Option(help="Write marks and masks as GeoJSON here.")] = None,
    model: Annotated[str, typer.Option(help="A model's name, or a folder with a checkpoint.")] = "nano",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Where to stop an answer that does not end.")] = 256,
    temperature: Annotated[float, typer.Option(help="0 is always the likeliest answer; else 0.01 to 10.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the sampling, at a temperature above 0.")] = 0,
) -> None:
    """Ask about an image and the regions marked on it.

    Marks can be repeated and mixed; they are numbered from 1 in the order given.

    An image may have any size. Above 1,024 pixels a side each mark is seen in
    a window four times as large as itself (at least 512 pixels), near marks
    and those that the question compares in one, and one answer comes back.
    Without marks, and for questions about "the whole image", "overall" or
    "where is", all of it is seen, reduced; so it is with --view overview.

    Example: earthgptx ask port.tif --sensor sar --box 40,60,90,120 --point 200,31
    "What is in each marked region?" --save port.png --geojson port.geojson
    """
    from earthgptx.geo.big_scene import BigScene
    from earthgptx.geo.scene_asking import plan_question

    speaking.check_outputs(save=save, geojson=geojson)
    coolest, hottest = TEMPERATURES
    if temperature != 0 and not coolest <= temperature <= hottest:
        speaking.refuse(f"The temperature must be 0 or a number from {coolest:g} to {hottest:g}, not {temperature:g}.")
    if view not in VIEWS:
        speaking.refuse(f'There is no view "{view}"; there are {", ".join(VIEWS)}.')
    scene = BigScene.open(image, sensor=sensor)
    notes = list(scene.notes)
    # Everything that can be wrong with the input is found before the model is loaded.
    drawn = _drawn_marks(ctx, scene, notes)
    plan = plan_question(scene, question, drawn, view=cast("View", view))

    from earthgptx.inference.loading import load

    streams = speaking.is_terminal() and not as_json
    for note in [] if as_json else notes:
        speaking.complain(note)
    answer = plan.answer(
        load(model, device=device),
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        on_text=_write_words if streams else None,
    )
    if as_json:
        typer.echo(json.dumps(answer.to_json(), allow_nan=False))
    else:
        _show_answer(answer, was_streamed=streams)
    if save is not None:
        answer.draw().save(save)
    if geojson is not None:
        geojson.write_text(json.dumps(answer.to_geojson(), allow_nan=False), encoding="utf-8")


def _drawn_marks(ctx: typer.Context, scene: BigScene, notes: list[str]) -> list[Mark]:
    """The marks of all options in the order in which they were typed; a file's marks stand where it stood."""
    from earthgptx.geo.scene_marks import read_marks
    from earthgptx.shapes import parse_mark

    values = {name: iter(ctx.params[name] or ()) for name in MARK_OPTIONS}
    marks: list[Mark] = []
    for name in ctx.meta["mark_order"]:
        value = next(values[name])
        is_file = name == "marks"
        marks.extend(read_marks(Path(value), scene, on_note=notes.append) if is_file else [parse_mark(name, value)])
    return marks


def _write_words(piece: str) -> None:
    """Streams a piece of an answer to the terminal, without mask and phrase tokens."""
    from earthgptx.processing.answers import without_tokens

    sys.stdout.write(without_tokens(piece))
    sys.stdout.flush()


def _show_answer(answer: SceneAnswer, *, was_streamed: bool) -> None:
    """The words, and on a terminal a table of regions under them."""
    typer.echo("" if was_streamed else answer.words)
    if not speaking.is_terminal() or not (answer.regions or answer.masks):
        return
    table = Table("region", "mark", "label", "confidence", "mask")
    for region in answer.regions:
        confidence = f"{region.confidence:.0%}" if region.label else ""
        area = "" if region.mask is None else f"{region.mask.in_scene(answer.scene).area:,} px"
        table.add_row(str(region.number), region.mark.kind, region.label, confidence, area)
    for mask in answer.masks:
        if mask.region is None:
            area = f"{mask.in_scene(answer.scene).area:,} px"
            table.add_row("", "", mask.phrase or "", f"{mask.confidence:.0%}", area)
    Console(markup=False).print(table)
