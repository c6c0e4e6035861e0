"""`earthgptx annotate` on many scenes: each becomes a file in a folder, and a manifest says what became of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from earthgptx.cli import speaking

if TYPE_CHECKING:
    from earthgptx.geo.many_scenes import Engine, Outcome, SceneJob
    from earthgptx.geo.model_choice import ModelChoice
    from earthgptx.geo.one_scene import Order

logger = logging.getLogger(__name__)

EXIT_SOME_FAILED = 1
FORMATS = ("geojson", "gpkg", "parquet")
MOST_TOLD = 20  # scenes that are told one by one; all of them are in the manifest


@dataclass(frozen=True)
class Cluster:
    """Where scenes are annotated, as it was typed.

    Attributes:
        engine: local or ray.
        workers: processes of ray; None where nothing was said.
    """

    engine: str
    workers: int | None


def annotate_many(
    scenes: str,
    regions: Path | None,
    out: Path | None,
    order: Order,
    chosen: ModelChoice,
    *,
    format: str | None,
    cluster: Cluster,
    overwrite: bool,
) -> None:
    """Every scene of a folder, pattern, prefix or list into a file of its own."""
    from earthgptx.geo import many_scenes
    from earthgptx.geo.feature_files import read_features
    from earthgptx.geo.output_file import ENDINGS, check_output
    from earthgptx.geo.scene_list import list_scenes

    if out is None or out.suffix.lower() in ENDINGS:
        speaking.refuse(f"{scenes} means many scenes: name a folder for their answers, for example -o answers.")
    if format not in (None, *FORMATS):
        speaking.refuse(f'Answers are written as {", ".join(FORMATS)}, not as "{format}".')
    ending = f".{format or FORMATS[0]}"
    check_output(Path(f"a{ending}"))
    check_crs(Path(f"a{ending}"), order)
    speaking.check_outputs(geojson=out)
    engine = _engine(cluster, chosen)
    if regions is not None:
        for note in read_features(regions).notes:
            speaking.complain(note)
    jobs = many_scenes.jobs_of(list_scenes(scenes), out.absolute(), ending, shared=regions and regions.absolute())
    _check_questions(jobs, order)
    with progress_bar("scenes") as tell:
        outcomes = many_scenes.annotate_many(
            jobs, folder=out, order=order, shared=regions, engine=engine, overwrite=overwrite, progress=tell
        )
    _report(outcomes, out)


def check_crs(out: Path, order: Order) -> None:
    """Refuses a reference system that a format does not have."""
    from earthgptx.geo.output_file import is_geojson

    if order.crs == "scene" and is_geojson(out):
        speaking.refuse("GeoJSON is in WGS84 (RFC 7946): write .gpkg or .parquet for --crs scene.")


def _engine(cluster: Cluster, chosen: ModelChoice) -> Engine:
    """What attempts the scenes."""
    from earthgptx.geo import many_scenes

    if cluster.engine == "local":
        if cluster.workers is not None:
            speaking.refuse("--workers is for --engine ray: the local engine does one scene after the other.")
        return many_scenes.in_this_process(chosen.load)
    if cluster.engine != "ray":
        speaking.refuse(f'There is no engine "{cluster.engine}"; there are local and ray.')
    from earthgptx.geo.ray_engine import on_a_cluster

    return on_a_cluster(chosen.load, num_workers=cluster.workers or 2, device=chosen.device)


def _check_questions(jobs: Sequence[SceneJob], order: Order) -> None:
    """Refuses questions that could not be asked of one of the scenes."""
    from earthgptx.geo.one_scene import questions_of

    for has_regions in {job.regions is not None for job in jobs}:
        questions_of(order.wishes, has_regions=has_regions)
    if order.grid is not None and all(job.regions is not None for job in jobs):
        speaking.refuse("Give regions or --grid, not both: the list names regions for every scene.")


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where a person looks at it; else lines, which `--verbose` shows."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            if not console.is_terminal:
                logger.info("%s: %d of %d are done", what, done, total)

        yield tell


def _report(outcomes: Sequence[Outcome], out: Path) -> None:
    """How it went, on stderr: the results are the files."""
    from earthgptx.geo.many_scenes import DONE, FAILED, MANIFEST, QUARANTINED

    lost = [one for one in outcomes if one.status != DONE]
    for one in lost[:MOST_TOLD]:
        speaking.complain(f"{one.scene} {'failed' if one.status == FAILED else 'is left aside'}: {one.reason}")
    if len(lost) > MOST_TOLD:
        speaking.complain(f"{len(lost) - MOST_TOLD:,} more are not done.")
    counts = Counter(one.status for one in outcomes)
    features, problems = sum(one.features for one in outcomes), sum(one.problems for one in outcomes)
    told = f"{counts[DONE]:,} of {len(outcomes):,} scenes are annotated in {out}, {features:,} features"
    told += f", {problems:,} with a problem" if problems else ""
    told += f"; {counts[FAILED]:,} failed" if counts[FAILED] else ""
    told += f"; {counts[QUARANTINED]:,} left aside" if counts[QUARANTINED] else ""
    speaking.complain(f"{told}. {out / MANIFEST} names each.")
    if lost:
        raise typer.Exit(EXIT_SOME_FAILED)
