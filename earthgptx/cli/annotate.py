"""`earthgptx annotate`: a scene of any size and a file of regions become a vector file of answers.

Everything that can be wrong with the input as a whole is found before the model is loaded; what is wrong with one
feature is told and does not stop the rest.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from earthgptx.cli import speaking

if TYPE_CHECKING:
    from earthgptx.geo.annotate import Plan, Summary
    from earthgptx.geo.annotate import Progress as OnProgress
    from earthgptx.geo.asking import Wishes
    from earthgptx.geo.big_scene import BigScene
    from earthgptx.geo.windows import View

logger = logging.getLogger(__name__)

LEAST_GRID = 64  # scene pixels; below, a cell shows nothing
MOST_TOLD = 20  # problems that are told one by one; all of them are in the file


def annotate(
    scene: Annotated[Path, typer.Argument(help="GeoTIFF (best: a COG), TIFF, PNG or JPEG, of any size.")],
    regions: Annotated[
        Path | None,
        typer.Argument(help="GeoJSON, GeoPackage, FlatGeobuf, shapefile or GeoParquet; none asks about all of it."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="What to write: .geojson, .gpkg or .parquet.")] = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(metavar="QUESTION", help="Asked of every region, or cell; repeatable for regions."),
    ] = None,
    masks: Annotated[bool, typer.Option("--masks", help="Segment, and write the masks' outlines.")] = False,
    captions: Annotated[bool, typer.Option(help="Whether every region gets a caption.")] = True,
    grid: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Ask about squares of this side, not regions.")
    ] = None,
    simplify: Annotated[
        float, typer.Option(min=0.0, max=100.0, help="Pixels by which an outline may leave its mask's edge.")
    ] = 1.0,
    view: Annotated[str, typer.Option(help="What is seen around a region: auto, zoom or overview.")] = "auto",
    crs: Annotated[str, typer.Option(help="Coordinates written: wgs84, or scene (not for GeoJSON).")] = "wgs84",
    sensor: Annotated[str, typer.Option(help="optical, sar, infrared, or auto to guess.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew, whatever is there.")] = False,
    model: Annotated[str, typer.Option(help="A model's name, or a folder with a checkpoint.")] = "nano",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
) -> None:
    """Label, caption and segment every region of a file, or a whole scene cell by cell.

    Stopped at any moment, the same command goes on where it was. Features keep their id and properties; answers are
    added as egx_label, egx_confidence, egx_caption, egx_answer and, with --masks, the mask as geometry and egx_area_m2.

    Example: earthgptx annotate port.tif berths.geojson -o ships.geojson --masks

    Example: earthgptx annotate port.tif -o ships.gpkg --grid 768 --masks --ask "Segment all ships."
    """
    from earthgptx.geo.annotate import annotate as run
    from earthgptx.geo.annotate import is_complete
    from earthgptx.geo.asking import Wishes
    from earthgptx.geo.big_scene import BigScene
    from earthgptx.geo.journal import journal_of
    from earthgptx.geo.outlines import require_outlines
    from earthgptx.geo.placing import coordinates_of

    if out is None:
        speaking.refuse("Say with -o what to write, for example -o out.geojson.")
    _check_choices(out, view=view, crs=crs, grid=grid, regions=regions)
    if masks:
        require_outlines()
    questions = _checked_questions(ask or [], has_regions=regions is not None, masks=masks)
    big = BigScene.open(scene, sensor=sensor)
    wishes = Wishes(questions, captions=captions, masks=masks, tolerance=simplify, view=cast("View", view))
    settings = {**_about_scene(scene), **_about_wishes(wishes, regions), "grid": grid, "crs": crs}
    settings |= {"sensor": big.sensor, "model": model}
    if overwrite:
        journal_of(out).unlink(missing_ok=True)
    elif is_complete(out, settings):
        speaking.complain(f"{out} is complete already: nothing was left to do.")
        return
    plan = _plan(big, regions, wishes, grid)
    for note in big.notes:
        speaking.complain(note)

    def load() -> Any:
        from earthgptx.inference.loading import load as load_model

        return load_model(model, device=device)

    target = coordinates_of(big, "scene" if crs == "scene" else "wgs84")
    with _progress() as tell:
        summary = run(plan, load=load, out=out, target=target, settings=settings, progress=tell)
    _report(summary, out)


def _check_choices(out: Path, *, view: str, crs: str, grid: int | None, regions: Path | None) -> None:
    """Refuses options that contradict each other, or have no such value."""
    from earthgptx.geo.output_file import check_output, is_geojson

    if view not in ("auto", "zoom", "overview"):
        speaking.refuse(f'There is no view "{view}"; there are auto, zoom and overview.')
    if crs not in ("wgs84", "scene"):
        speaking.refuse(f'Coordinates are written in wgs84 or scene, not in "{crs}".')
    check_output(out)
    speaking.check_outputs(geojson=out)
    if crs == "scene" and is_geojson(out):
        speaking.refuse("GeoJSON is in WGS84 (RFC 7946): write .gpkg or .parquet for --crs scene.")
    if grid is not None and regions is not None:
        speaking.refuse("Give regions or --grid, not both: a grid takes the place of regions.")
    if grid is not None and grid < LEAST_GRID:
        speaking.refuse(f"A cell of the grid has at least {LEAST_GRID} pixels a side, not {grid}.")


def _checked_questions(asked: list[str], *, has_regions: bool, masks: bool) -> tuple[str, ...]:
    """The questions to ask; without regions there is one."""
    from earthgptx.data.phrasing import PHRASES
    from earthgptx.inference.questions import check_question

    if not has_regions and len(asked) > 1:
        speaking.refuse(f"A whole scene is asked one question, but {len(asked)} were given.")
    if not has_regions and not asked:
        asked = [PHRASES["grounded_caption" if masks else "image_caption"][0]]
    return tuple(check_question(question, 1 if has_regions else 0) for question in asked)


def _plan(scene: BigScene, regions: Path | None, wishes: Wishes, grid: int | None) -> Plan:
    """What to ask, with what is unusual about the file of regions told."""
    from earthgptx.geo.feature_files import read_features
    from earthgptx.geo.grid import plan_grid
    from earthgptx.geo.region_plan import plan_regions

    if regions is None:
        return plan_grid(scene, wishes.questions[0], side=grid, masks=wishes.masks, tolerance=wishes.tolerance)
    file = read_features(regions)
    for note in file.notes:
        speaking.complain(note)
    return plan_regions(scene, file, wishes)


def _about_scene(scene: Path) -> dict[str, Any]:
    """What tells one scene's file from another."""
    return {"scene": [scene.name, scene.stat().st_size, scene.stat().st_mtime_ns]}


def _about_wishes(wishes: Wishes, regions: Path | None) -> dict[str, Any]:
    """What is asked, and of what."""
    return {
        "regions": None if regions is None else _digest(regions),
        "questions": list(wishes.questions),
        "captions": wishes.captions and regions is not None,
        "masks": wishes.masks,
        "simplify": wishes.tolerance,
        "view": wishes.view,
    }


def _digest(path: Path) -> str | None:
    """Of a file's bytes; None where there is none, which its reader will say."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """A bar on stderr where a person looks at it; else lines, which `--verbose` shows."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("asking", total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            if not console.is_terminal:
                logger.info("%d of %d are answered", done, total)

        yield tell


def _report(summary: Summary, out: Path) -> None:
    """How it went, on stderr: the result is the file."""
    for sentence in summary.problems[:MOST_TOLD]:
        speaking.complain(sentence)
    if len(summary.problems) > MOST_TOLD:
        more = len(summary.problems) - MOST_TOLD
        speaking.complain(f"{more:,} more could not be asked about; their egx_problem says why.")
    resumed = f", {summary.num_resumed:,} of them answered before" if summary.num_resumed else ""
    failed = f"; {len(summary.problems):,} with a problem" if summary.problems else ""
    speaking.complain(f"{summary.num_features:,} features were written to {out}{resumed}{failed}.")
