"""`earthgptx annotate`: scenes of any size and files of regions become vector files of answers.

Everything that can be wrong with the input as a whole is found before the model is loaded; what is wrong with one
feature is told and does not stop the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from earthgptx.cli import speaking
from earthgptx.cli.annotate_many import Cluster, annotate_many, check_crs, progress_bar

if TYPE_CHECKING:
    from earthgptx.geo.annotate import Summary
    from earthgptx.geo.model_choice import ModelChoice
    from earthgptx.geo.one_scene import Order
    from earthgptx.geo.windows import View

LEAST_GRID = 64  # scene pixels; below, a cell shows nothing
MOST_TOLD = 20  # problems that are told one by one; all of them are in the file


def annotate(
    scene: Annotated[
        str,
        typer.Argument(
            help="GeoTIFF (best: a COG), TIFF, PNG or JPEG, of any size; for many a folder, a pattern in quotes, "
            "a prefix such as s3://bucket/2026/, or a list (.txt, .jsonl)."
        ),
    ],
    regions: Annotated[
        Path | None,
        typer.Argument(help="GeoJSON, GeoPackage, FlatGeobuf, shapefile or GeoParquet; none asks about all of it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="What to write: .geojson, .gpkg or .parquet; for many scenes a folder."),
    ] = None,
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
    format: Annotated[
        str | None, typer.Option(help="Of many scenes' outputs: geojson, gpkg or parquet.", show_default="geojson")
    ] = None,
    engine: Annotated[str, typer.Option(help="What does many scenes: local, or ray for a cluster.")] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --engine ray: processes, each with the model.", show_default="2")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew, whatever is there.")] = False,
    model: Annotated[str, typer.Option(help="A model's name, or a folder with a checkpoint.")] = "nano",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
) -> None:
    """Label, caption and segment every region of a file, or a whole scene cell by cell, of one scene or of many.

    Stopped at any moment, the same command goes on where it was. Features keep their id and properties; answers are
    added as egx_label, egx_confidence, egx_caption, egx_answer and, with --masks, the mask as geometry and egx_area_m2.

    Example: earthgptx annotate port.tif berths.geojson -o ships.geojson --masks

    Example: earthgptx annotate port.tif -o ships.gpkg --grid 768 --masks --ask "Segment all ships."

    Example: earthgptx annotate scenes/ berths.geojson -o answers --format gpkg
    """
    from earthgptx.geo.asking import Wishes
    from earthgptx.geo.model_choice import ModelChoice
    from earthgptx.geo.one_scene import Order
    from earthgptx.geo.outlines import require_outlines
    from earthgptx.geo.scene_list import names_many

    _check_choices(view=view, crs=crs, grid=grid, regions=regions)
    if masks:
        require_outlines()
    chosen = ModelChoice.of(model, device)
    order = Order(
        wishes=Wishes(tuple(ask or ()), captions=captions, masks=masks, tolerance=simplify, view=cast("View", view)),
        grid=grid,
        crs="scene" if crs == "scene" else "wgs84",
        sensor=sensor,
        checkpoint=chosen.checkpoint,
    )
    if names_many(scene):
        cluster = Cluster(engine, workers)
        annotate_many(scene, regions, out, order, chosen, format=format, cluster=cluster, overwrite=overwrite)
        return
    if engine != "local" or workers is not None or format is not None:
        speaking.refuse("--engine, --workers and --format are for many scenes: a folder, a pattern or a list of them.")
    _annotate_one(scene, regions, out, order, chosen, overwrite=overwrite)


def _check_choices(*, view: str, crs: str, grid: int | None, regions: Path | None) -> None:
    """Refuses options that contradict each other, or have no such value."""
    if view not in ("auto", "zoom", "overview"):
        speaking.refuse(f'There is no view "{view}"; there are auto, zoom and overview.')
    if crs not in ("wgs84", "scene"):
        speaking.refuse(f'Coordinates are written in wgs84 or scene, not in "{crs}".')
    if grid is not None and regions is not None:
        speaking.refuse("Give regions or --grid, not both: a grid takes the place of regions.")
    if grid is not None and grid < LEAST_GRID:
        speaking.refuse(f"A cell of the grid has at least {LEAST_GRID} pixels a side, not {grid}.")


def _annotate_one(
    scene: str, regions: Path | None, out: Path | None, order: Order, chosen: ModelChoice, *, overwrite: bool
) -> None:
    """One scene into one file."""
    from earthgptx.data import remote_file
    from earthgptx.geo.annotate import annotate as run
    from earthgptx.geo.annotate import is_complete
    from earthgptx.geo.one_scene import prepare, questions_of
    from earthgptx.geo.output_file import check_output

    if out is None:
        speaking.refuse("Say with -o what to write, for example -o out.geojson.")
    check_output(out)
    speaking.check_outputs(geojson=out)
    check_crs(out, order)
    questions_of(order.wishes, has_regions=regions is not None)  # before the scene is opened
    path = remote_file.path_of(scene) if remote_file.is_url(scene) else Path(scene)
    prepared = prepare(path, regions, order)
    if not overwrite and is_complete(out, prepared.settings):
        speaking.complain(f"{out} is complete already: nothing was left to do.")
        return
    for note in prepared.notes:
        speaking.complain(note)
    with progress_bar("asking") as tell:
        summary = run(
            prepared.plan,
            load=chosen.load,
            out=out,
            target=prepared.target,
            settings=prepared.settings,
            progress=tell,
            is_new=overwrite,
        )
    _report(summary, out)


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
