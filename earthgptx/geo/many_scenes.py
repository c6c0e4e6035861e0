"""Scenes by the thousand, each annotated into a file of its own; what became of each stands in a manifest.

A scene is attempted by one function, in whatever process an engine runs it. It leaves its answers in its journal, so
that a run that is killed goes on, and a mark that it was begun, so that a scene that kills its process is known.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earthgptx.data import remote_file
from earthgptx.errors import EarthGPTXError, OutputExists
from earthgptx.geo.annotate import annotate, is_complete
from earthgptx.geo.asking import Answerer
from earthgptx.geo.journal import Journal, journal_of
from earthgptx.geo.one_scene import Order, digest_of, prepare
from earthgptx.geo.output_file import counts_of
from earthgptx.geo.scene_list import ListedScene

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
MOST_DEATHS = 3  # of processes at one scene, without one new answer in between
DONE, FAILED, QUARANTINED = "done", "failed", "quarantined"

Progress = Callable[[int, int], None]
"""Called with (scenes done, all of them), at the start and after every scene."""


@dataclass(frozen=True)
class SceneJob:
    """A scene that is to be annotated; plain values that can be sent to other processes.

    Attributes:
        scene: its path.
        regions: a file of them, None for none.
        is_shared: the regions are those of many scenes, and the ones outside of this are left out.
        folder: of all outputs.
        name: of this one below it.
        address: of the scene, for people.
    """

    scene: Path
    regions: Path | None
    is_shared: bool
    folder: Path
    name: str
    address: str

    @property
    def out(self) -> Path:
        """The file to write."""
        return self.folder / self.name


@dataclass(frozen=True)
class Outcome:
    """What became of a scene.

    Attributes:
        name: of its output below the folder of outputs.
        scene: its address.
        status: "done"; "failed", and the next run tries again; or "quarantined", and it does not.
        features: written.
        problems: features that could not be asked about; the output says why.
        reason: a sentence, empty where it is done.
    """

    name: str
    scene: str
    status: str
    features: int = 0
    problems: int = 0
    reason: str = ""


Engine = Callable[[Sequence[SceneJob], Order], Iterator[Outcome]]
"""Attempts all jobs, in any order and as many at once as it likes; an outcome each."""


class Loader:
    """Loads the model when it is first needed, and keeps it.

    Args:
        load: gives an assistant.

    Attributes:
        problem: what went wrong in the loading, which no other scene would mend.
    """

    def __init__(self, load: Callable[[], Answerer]) -> None:
        self.problem: EarthGPTXError | None = None
        self._load = load
        self._assistant: Answerer | None = None

    def __call__(self) -> Answerer:
        """The assistant."""
        if self._assistant is None:
            try:
                self._assistant = self._load()
            except EarthGPTXError as error:
                self.problem = error
                raise
        return self._assistant


def jobs_of(
    scenes: Iterable[ListedScene], folder: Path, ending: str, *, shared: Path | None = None
) -> tuple[SceneJob, ...]:
    """What is to be done about scenes.

    Args:
        scenes: which.
        folder: of the outputs.
        ending: of the outputs' format, with its dot.
        shared: the regions of scenes that name none of their own.
    """
    return tuple(
        SceneJob(
            scene=one.path,
            regions=one.regions or shared,
            is_shared=one.regions is None and shared is not None,
            folder=folder,
            name=f"{one.name}{ending}",
            address=one.address,
        )
        for one in scenes
    )


def in_this_process(load: Callable[[], Answerer]) -> Engine:
    """The engine that attempts one scene after the other, here."""

    def attempt_all(jobs: Sequence[SceneJob], order: Order) -> Iterator[Outcome]:
        loader = Loader(load)
        return (attempt(job, order, loader) for job in jobs)

    return attempt_all


def attempt(job: SceneJob, order: Order, load: Loader) -> Outcome:
    """Annotates one scene; what goes wrong with it becomes its outcome, for the others can go on.

    Raises:
        EarthGPTXError: the model cannot be loaded, so that no other scene can be annotated either.
    """
    mark = _mark_of(job)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    num_deaths = _begin(mark, job.out)
    if num_deaths >= MOST_DEATHS:
        reason = (
            f"Its process was ended {num_deaths} times without one new answer, most often for want of memory: "
            f"remove {mark.name} to try again."
        )
        return Outcome(job.name, job.address, QUARANTINED, reason=reason)
    try:
        outcome = _annotated(job, order, load)
    except Exception as error:
        if load.problem is not None:
            raise
        reason = str(error)
        if not isinstance(error, EarthGPTXError):
            logger.exception("%s failed", job.address)
            reason = f"{type(error).__name__}: {error}"
        outcome = Outcome(job.name, job.address, FAILED, reason=" ".join(reason.split()))
    finally:
        mark.unlink(missing_ok=True)
    return outcome


def _annotated(job: SceneJob, order: Order, load: Loader) -> Outcome:
    prepared = prepare(job.scene, job.regions, order, is_shared=job.is_shared)
    for note in prepared.notes:
        logger.info("%s: %s", job.address, note)
    if is_complete(job.out, prepared.settings):  # it ended before the manifest heard of it
        journal_of(job.out).unlink(missing_ok=True)
        features, problems = counts_of(job.out)
        return Outcome(job.name, job.address, DONE, features, problems)
    summary = annotate(prepared.plan, load=load, out=job.out, target=prepared.target, settings=prepared.settings)
    return Outcome(job.name, job.address, DONE, summary.num_features, len(summary.problems))


def _mark_of(job: SceneJob) -> Path:
    return job.out.with_name(f"{job.out.name}.begun")


def _begin(mark: Path, out: Path) -> int:
    """Marks a scene as begun, and says how often it was begun before with just the answers that there are now."""
    journal = journal_of(out)
    num_batches = max(journal.read_bytes().count(b"\n") - 1, 0) if journal.exists() else 0  # after its settings
    if out.exists() and not journal.exists():
        num_batches = -1  # its process died behind the last answer: no attempt that gave nothing
    lines = mark.read_text(encoding="ascii").splitlines() if mark.exists() else []
    begun = [int(line.split()[0]) for line in lines if line.strip()]
    num_deaths = next((place for place, one in enumerate(reversed(begun)) if one != num_batches), len(begun))
    if num_deaths < MOST_DEATHS:
        with mark.open("a", encoding="ascii") as stream:
            stream.write(f"{num_batches} {os.getpid()}\n")
            stream.flush()
            os.fsync(stream.fileno())
    return num_deaths


def forget(jobs: Iterable[SceneJob]) -> None:
    """Takes the marks off scenes whose processes were ended from here."""
    for job in jobs:
        _mark_of(job).unlink(missing_ok=True)


def annotate_many(
    jobs: Sequence[SceneJob],
    *,
    folder: Path,
    order: Order,
    shared: Path | None,
    engine: Engine,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Outcome, ...]:
    """Attempts every scene that is not done yet, and writes the manifest.

    Args:
        jobs: which scenes.
        folder: of the outputs; made where it is not there.
        order: what is asked.
        shared: the regions of scenes that name none of their own.
        engine: attempts them.
        overwrite: removes first what an earlier run left of these scenes.
        progress: told how far it is.

    Returns:
        An outcome each, in the order of the jobs.

    Raises:
        FolderInUse: another run writes into the folder.
        OutputExists: what is in the folder was made by another command.
    """
    folder.mkdir(exist_ok=True)
    manifest = folder / MANIFEST
    settings = {
        "questions": list(order.wishes.questions),
        **order.settings(),
        "regions": None if shared is None else digest_of(shared),
    }
    known = {} if overwrite else _known(manifest, settings)
    with Journal(journal_of(manifest), settings, is_new=overwrite) as journal:
        if overwrite:
            _remove(jobs, manifest)
        records = [record for batch in sorted(journal.batches) for record in journal.batches[batch]]
        known |= {record["name"]: record for record in records}
        states = {job.name: _state_of(job) for job in jobs}
        done = {job.name for job in jobs if _is_done(job, known.get(job.name), states[job.name])}
        if progress is not None:
            progress(len(done), len(jobs))
        left = [job for job in jobs if job.name not in done]
        for outcome in engine(left, order) if left else ():
            record = {**asdict(outcome), "state": states[outcome.name]}
            journal.add(len(journal.batches), [record])
            known[outcome.name] = record
            done.add(outcome.name)
            if progress is not None:
                progress(len(done), len(jobs))
        others = sorted(known.keys() - {job.name for job in jobs})  # an earlier run's, of scenes not meant this time
        _write_manifest(manifest, settings, [known[name] for name in (*(job.name for job in jobs), *others)])
        journal.remove()
    fields = Outcome.__dataclass_fields__
    return tuple(Outcome(**{name: known[job.name][name] for name in fields}) for job in jobs)


def _state_of(job: SceneJob) -> str:
    """Tells a scene and its regions from what they were before; empty where that cannot be told."""
    try:
        seen = [remote_file.size_of(job.scene), remote_file.state_of(job.scene)]
    except (OSError, EarthGPTXError):
        return ""
    return json.dumps([*seen, None if job.regions is None else digest_of(job.regions)])


def _is_done(job: SceneJob, record: dict[str, Any] | None, state: str) -> bool:
    is_same = record is not None and record["status"] == DONE and record["state"] == state != ""
    return is_same and job.out.exists()


def _known(manifest: Path, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What an earlier run made of each scene.

    Raises:
        OutputExists: it was another command's, or the file is no manifest.
    """
    if not manifest.exists():
        return {}
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        made, scenes = content["settings"], {record["name"]: record for record in content["scenes"]}
    except (ValueError, KeyError, TypeError) as error:
        raise OutputExists(f"{manifest} is no manifest of this command: choose another folder.") from error
    differing = sorted(key for key in made.keys() | settings.keys() if made.get(key) != settings.get(key))
    if differing:
        raise OutputExists(
            f"{manifest.parent} was made with another {', '.join(differing)}: choose another folder, or give "
            "--overwrite to begin anew."
        )
    return scenes


def _write_manifest(path: Path, settings: dict[str, Any], records: list[dict[str, Any]]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(f'{{"settings": {json.dumps(settings, ensure_ascii=False)},\n"scenes": [\n{lines}\n]}}\n')
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, path)


def _remove(jobs: Sequence[SceneJob], manifest: Path) -> None:
    manifest.unlink(missing_ok=True)
    for job in jobs:
        for path in (_mark_of(job), journal_of(job.out), job.out):
            path.unlink(missing_ok=True)
