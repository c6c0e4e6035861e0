"""The engine that spreads scenes over a cluster by Ray Data: actors load the model once and annotate scene after scene.

It is the one file that imports Ray, which comes with the extra `ray`. An actor that is lost is started anew and its
scene given to another, which goes on with the answers that are in the scene's journal. All machines must see the
folder of outputs under the same path, and the scenes.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from earthgptx import errors
from earthgptx.errors import DeviceUnavailable, EarthGPTXError, FolderNotShared, MissingExtra, WorkerLost
from earthgptx.geo.asking import Answerer
from earthgptx.geo.many_scenes import Engine, Loader, Outcome, SceneJob, attempt, forget
from earthgptx.geo.one_scene import Order

Load = Callable[[], Answerer]
_MOST_PARTS = 1000  # of the list of scenes; each is given to an actor, and to another one when that is lost


def _package(name: str) -> Any:
    """Ray, or a part of it.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"A cluster needs {error.name}: pip install 'earthgptx[ray]'.") from error


def require_ray() -> None:
    """Says early that there is no Ray.

    Raises:
        MissingExtra: it is not installed.
    """
    _package("ray.data")


def on_a_cluster(load: Load, *, num_workers: int, device: str = "cpu") -> Engine:
    """The engine that attempts scenes in so many processes of a cluster.

    The cluster is the one that ``RAY_ADDRESS`` names, or that is connected already; without one it is this machine.

    Args:
        load: gives an assistant; called once in each process.
        num_workers: processes.
        device: "cpu" takes a core for each, "cuda" a whole GPU.

    Raises:
        MissingExtra: Ray is not installed.
        DeviceUnavailable: another device: which GPU is whose, the cluster decides.
    """
    if device not in ("cpu", "cuda"):
        raise DeviceUnavailable(f"A cluster's workers run on cpu or cuda, not on {device!r}.")
    require_ray()

    def attempt_all(jobs: Sequence[SceneJob], order: Order) -> Iterator[Outcome]:
        ray, data = _package("ray"), _package("ray.data")
        is_ours = not ray.is_initialized()
        if is_ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        left = {job.name: job for job in jobs}
        try:
            for outcome in _outcomes(data, jobs, order, load, num_workers=num_workers, device=device):
                del left[outcome.name]
                yield outcome
        except ray.exceptions.RayError as error:
            raise WorkerLost(f"The cluster gave up: {str(error).strip().splitlines()[-1]}") from error
        finally:
            if is_ours:
                ray.shutdown()
                forget(left.values())  # this process ended the workers, and no scene
        if left:
            raise WorkerLost(f"The cluster returned nothing for {len(left):,} of {len(jobs):,} scenes; run it again.")

    return attempt_all


def _outcomes(
    data: Any, jobs: Sequence[SceneJob], order: Order, load: Load, *, num_workers: int, device: str
) -> Iterator[Outcome]:
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rows = data.from_items([{"job": job} for job in jobs], override_num_blocks=min(len(jobs), _MOST_PARTS))
    annotated = rows.map_batches(
        _Worker,
        fn_constructor_args=(order, load),
        batch_size=1,
        batch_format="numpy",
        compute=data.ActorPoolStrategy(size=min(num_workers, len(jobs)), max_tasks_in_flight_per_actor=1),
        **({"num_gpus": 1} if device == "cuda" else {"num_cpus": 1}),
    )
    for row in annotated.iter_rows():
        yield _outcome_of(json.loads(row["outcome"]))


def _outcome_of(told: dict[str, Any]) -> Outcome:
    """What a worker told.

    Raises:
        EarthGPTXError: it could not work at all; of the class that it named.
    """
    if "problem" not in told:
        return Outcome(**told)
    kind: type[EarthGPTXError] = getattr(errors, told["error"])
    raise kind(told["problem"])


class _Worker:
    """An actor: annotates one scene after the other."""

    def __init__(self, order: Order, load: Load) -> None:
        self._order, self._load = order, Loader(load)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """The outcome of each job, as JSON."""
        return {"outcome": [json.dumps(self._told(job)) for job in batch["job"]]}

    def _told(self, job: SceneJob) -> dict[str, Any]:
        if not job.folder.is_dir():
            return _problem(
                FolderNotShared(f"A worker does not see {job.folder}: the folder of outputs must be shared by all.")
            )
        try:
            return asdict(attempt(job, self._order, self._load))
        except Exception:
            if self._load.problem is None:
                raise
            return _problem(self._load.problem)


def _problem(error: EarthGPTXError) -> dict[str, Any]:
    return {"problem": str(error), "error": type(error).__name__}
