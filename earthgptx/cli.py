"""The command line: ask, train, evaluate, weights, data.

Arguments become calls of the package and results become text; nothing is computed here. It is the one file
that prints. Every import that costs time stands inside the verb that needs it, so that `--help` is instant.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand, TyperGroup

from earthgptx.errors import EarthGPTXError

if TYPE_CHECKING:
    from earthgptx.data.imagery import Scene
    from earthgptx.data.sample import Sample
    from earthgptx.inference.answer import Answer
    from earthgptx.shapes import Mark

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
LARGEST_SEED = 2**63 - 1  # what a random generator of torch takes
TEMPERATURES = (0.01, 10.0)  # below, numbers overflow; above, every word is as likely as any other
MARK_OPTIONS = ("box", "point", "circle", "ellipse", "polygon", "scribble", "marks")


class Verbs(TyperGroup):
    """The verbs, with bad input and Ctrl-C turned into one sentence and an exit code."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Reads the options before the verb."""
        with _in_one_sentence():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Runs the verb that was asked for."""
        with _in_one_sentence():
            return super().invoke(ctx)


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    """Turns what a user can get wrong into one line on stderr and an exit code."""
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]  # typer has no public name for it
    try:
        yield
    except EarthGPTXError as error:
        _refuse(str(error))
    except typer.BadParameter as error:  # a value that is missing or of the wrong type
        _refuse(error.format_message())
    except usage_error as error:  # an option or a verb that is not there
        if "\n" in str(error):  # no verb at all: typer's message is then the help
            raise
        _refuse(str(error))
    except OSError as error:  # a file that cannot be read or written: the user's, since ours are in the package
        _refuse(f"{error.filename or 'A file'}: {error.strerror or error}.")
    except KeyboardInterrupt:
        _complain("Stopped: nothing that was already written is lost.")
        raise typer.Exit(EXIT_INTERRUPTED) from None


class MarksInOrder(TyperCommand):
    """A verb that remembers in which order marks of different kinds were given.

    The parser collects `--box` and `--point` in separate lists; the order across them numbers the regions.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses, and leaves the names of the mark options in `ctx.meta["mark_order"]`, one a value."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta["mark_order"] = [option.name for option in given if option.name in MARK_OPTIONS]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Verbs,
    help="Mark regions on optical, SAR or infrared imagery, ask in plain language, get words and masks back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(
    help="Look at the labelled imagery that models are trained and measured on.", no_args_is_help=True
)
app.add_typer(data_app, name="data")


@app.callback()
def start(
    verbose: Annotated[bool, typer.Option("--verbose", help="Say what is going on, on stderr.")] = False,
) -> None:
    """Mark regions on optical, SAR or infrared imagery, ask in plain language, get words and masks back."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s", force=True)


@app.command(cls=MarksInOrder)
def ask(
    ctx: typer.Context,
    image: Annotated[Path, typer.Argument(help="PNG, JPEG, TIFF or GeoTIFF, of any bit depth.")],
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
        typer.Option(metavar="FILE", help="GeoJSON: degrees if the image is georeferenced, else pixels."),
    ] = None,
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

    Example: earthgptx ask port.tif --sensor sar --box 40,60,90,120 --point 200,31
    "What is in each marked region?" --save port.png --geojson port.geojson
    """
    from earthgptx.data.imagery import Scene
    from earthgptx.inference.questions import check_marks, check_question

    _check_outputs(save=save, geojson=geojson)
    coolest, hottest = TEMPERATURES
    if temperature != 0 and not coolest <= temperature <= hottest:
        _refuse(f"The temperature must be 0 or a number from {coolest:g} to {hottest:g}, not {temperature:g}.")
    scene = Scene.open(image, sensor=sensor)
    # Everything that can be wrong with the input is found before the model is loaded.
    drawn = check_marks(_drawn_marks(ctx, scene), width=scene.width, height=scene.height)
    check_question(question, len(drawn))

    from earthgptx.inference.loading import load

    streams = _is_terminal() and not as_json
    if not as_json:
        for note in scene.notes:
            _complain(note)
    session = load(model, device=device).look(scene)
    answer = session.ask(
        question,
        drawn,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        stream=_write_words if streams else None,
    )
    if as_json:
        typer.echo(json.dumps(answer.to_json(), allow_nan=False))
    else:
        _show_answer(answer, was_streamed=streams)
    if save is not None:
        answer.draw().save(save)
    if geojson is not None:
        geojson.write_text(json.dumps(answer.to_geojson(), allow_nan=False), encoding="utf-8")


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A Python file that describes the run.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change one field; repeatable.")
    ] = None,
) -> None:
    """Train a model as a recipe says; a run that was stopped goes on from its last checkpoint.

    Example: earthgptx train recipes/nano.py --set steps=200
    """
    from rich.progress import Progress

    from earthgptx.training.command import train as train_by_recipe

    if not recipe.is_file():
        _refuse(f"There is no recipe {recipe}.")
    logging.getLogger("earthgptx").setLevel(logging.INFO)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        views = progress.add_task("views seen by the frozen towers", total=None)

        def show(done: int, total: int) -> None:
            progress.update(views, completed=done, total=total)
            if done >= total:
                progress.stop()  # the training's own bar comes next

        folder = train_by_recipe(recipe, overrides or [], on_views=show)
    typer.echo(f"The trained model is in {folder}.")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    # The options live in evaluation.command; mounting it here would load torch for every `--help`.
)
def evaluate(ctx: typer.Context) -> None:
    """Measure a model on labelled imagery: roc, grounding or captioning.

    Example: earthgptx evaluate roc --data ../shared/data --split val --marks box --out report.json
    """
    from earthgptx.evaluation import command

    inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    inner.command()(command.evaluate)
    report = typer.main.get_command(inner).main(args=ctx.args, prog_name="earthgptx evaluate", standalone_mode=False)
    if isinstance(report, int):  # what `--help` and Ctrl-C give instead of a report
        raise typer.Exit(report)
    typer.echo(report.to_markdown())


@app.command()
def weights(
    model: Annotated[str, typer.Argument(help="The model whose pretrained parts to prepare.")] = "nano",
    cache: Annotated[
        Path | None,
        typer.Option(help="Where to keep them; $EARTHGPTX_CACHE or ~/.cache/earthgptx if not given."),
    ] = None,
) -> None:
    """Fetch, verify and convert a model's pretrained parts, once; later runs find them in the cache.

    Example: earthgptx weights nano
    """
    from earthgptx.errors import UnknownModel

    if model != "nano":
        raise UnknownModel(f"Only nano's pretrained parts can be prepared, not those of {model!r}.")
    from earthgptx.model.weights.nano import prepare_nano

    parts = prepare_nano(cache)
    for sentence in parts.sources:
        _complain(sentence)
    typer.echo(f"nano's pretrained parts are ready in {parts.folder}.")


_DataOption = Annotated[Path, typer.Option(help="Folder that holds vhr10/, ssdd/, hituav/, rsicd/, ...")]
_SplitOption = Annotated[str, typer.Option(help="train, val or test.")]


@data_app.command("list")
def list_data(data: _DataOption, split: _SplitOption = "val") -> None:
    """List the data sets of a folder: images, objects, captions and the tasks they serve.

    Example: earthgptx data list --data ../shared/data --split val
    """
    from earthgptx.data.datasets import DATASETS, available, missing

    absent = missing(data, split)
    images = available(data, split, names=_present(data, split))
    table = Table("data set", "sensor", "images", "objects", "captions", "tasks")
    for name, source in DATASETS.items():
        own = [image for image in images if image.dataset == name]
        if own:
            num_objects = sum(len(image.objects) for image in own)
            num_captions = sum(len(image.captions) for image in own)
            counts = (f"{len(own):,}", f"{num_objects:,}", f"{num_captions:,}")
            table.add_row(name, source.sensor, *counts, ", ".join(source.tasks))
    Console().print(table)
    for sentence in absent:
        _complain(sentence)


@data_app.command("show")
def show_data(
    data: _DataOption,
    out: Annotated[Path, typer.Option(help="The picture to write.")],
    split: _SplitOption = "val",
    task: Annotated[str, typer.Option(help="roc, region_caption, segment_region, vqa, ...")] = "roc",
    dataset: Annotated[list[str] | None, typer.Option(help="Only this data set; repeatable.")] = None,
    count: Annotated[int, typer.Option(min=1, max=64, help="Samples to show.")] = 9,
    columns: Annotated[int, typer.Option(min=1, max=8, help="Samples a row.")] = 3,
    seed: Annotated[int, typer.Option(help="Picks the images and their wording.")] = 0,
) -> None:
    """Draw a contact sheet of training samples: marks, words and masks as the model gets them.

    Example: earthgptx data show --data ../shared/data --split val --task segment_region --out sheet.png
    """
    from earthgptx.data.contact_sheet import contact_sheet
    from earthgptx.data.datasets import DATASETS, available
    from earthgptx.data.instructions import TASKS, make_sample

    _check_outputs(save=out)
    if task not in TASKS:
        _refuse(f"There is no task {task!r}; choose one of {', '.join(TASKS)}.")
    images = available(data, split, names=tuple(dataset) if dataset else _present(data, split))
    rng = random.Random(seed)
    rng.shuffle(images)
    samples: list[Sample] = []
    for image in images:
        if task in DATASETS[image.dataset].tasks and len(samples) < count:
            sample = make_sample(image, task, rng, seed=seed)
            samples += [] if sample is None else [sample]
    if not samples:
        _refuse(f"None of the {len(images):,} images of the {split} split can serve the task {task}.")
    contact_sheet(samples, columns).save(out)
    _complain(f"{len(samples)} samples were drawn to {out}.")


def main() -> None:
    """Runs the command line, as `earthgptx` and `python -m earthgptx` do."""
    app(prog_name="earthgptx")  # the name in messages, also when started as a module


def _present(data: Path, split: str) -> Sequence[str]:
    """Names of the data sets that are there; all names where none is, so that the reader says so."""
    from earthgptx.data.datasets import DATASETS, missing

    present = tuple(name for name in DATASETS if not missing(data, split, (name,)))
    return present or tuple(DATASETS)


def _drawn_marks(ctx: typer.Context, scene: Scene) -> list[Mark]:
    """The marks of all options in the order in which they were typed; a file's marks stand where it stood."""
    from earthgptx.inference.marks_file import read_marks
    from earthgptx.shapes import parse_mark

    values = {name: iter(ctx.params[name] or ()) for name in MARK_OPTIONS}
    marks: list[Mark] = []
    for name in ctx.meta["mark_order"]:
        value = next(values[name])
        marks.extend(read_marks(Path(value), scene) if name == "marks" else [parse_mark(name, value)])
    return marks


def _check_outputs(*, save: Path | None = None, geojson: Path | None = None) -> None:
    """Refuses before the work what could not be written after it."""
    if save is not None and save.suffix.lower() not in PICTURE_ENDINGS:
        _refuse(f"No picture can be written to {save}: its name must end in one of {', '.join(PICTURE_ENDINGS)}.")
    for path in (save, geojson):
        if path is not None and not path.parent.is_dir():
            _refuse(f"{path} cannot be written: there is no folder {path.parent}.")


def _is_terminal() -> bool:
    """Whether a person reads stdout; a pipe or a file gets the words and no table."""
    return sys.stdout.isatty()


def _write_words(piece: str) -> None:
    """Streams a piece of an answer to the terminal, without mask and phrase tokens."""
    from earthgptx.processing.answers import without_tokens

    sys.stdout.write(without_tokens(piece))
    sys.stdout.flush()


def _show_answer(answer: Answer, *, was_streamed: bool) -> None:
    """The words, and on a terminal a table of regions under them."""
    typer.echo("" if was_streamed else answer.words)
    if not _is_terminal() or not (answer.regions or answer.masks):
        return
    table = Table("region", "mark", "label", "confidence", "mask")
    for region in answer.regions:
        confidence = f"{region.confidence:.0%}" if region.label else ""
        area = "" if region.mask is None else f"{int(region.mask.sum()):,} px"
        table.add_row(str(region.number), region.mark.kind, region.label, confidence, area)
    for mask in answer.masks:
        if mask.region is None:
            table.add_row("", "", mask.phrase or "", f"{mask.confidence:.0%}", f"{int(mask.array.sum()):,} px")
    Console(markup=False).print(table)


def _complain(sentence: str) -> None:
    """One line on stderr; stdout holds results only."""
    typer.echo(" ".join(sentence.split()), err=True)


def _refuse(sentence: str) -> NoReturn:
    """Ends with the exit code of bad input."""
    _complain(sentence)
    raise typer.Exit(EXIT_BAD_INPUT)
