"""A training run as a frozen value: what is trained, on what, for how long.

A recipe file is Python with a function `recipe() -> TrainingRecipe`; variants are made by `dataclasses.replace` or,
from the shell, by `--set name=value`.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from earthgptx.data.instructions import MARK_FAMILIES, TASKS
from earthgptx.data.orientation import NUM_ORIENTATIONS
from earthgptx.errors import MalformedRecipe

Made = TypeVar("Made")

POLICIES = ("paper", "scratch")  # as in model.earthgptx.trainable_parameters


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """One run.

    Attributes:
        name: of the run's folder.
        size: a name in model.sizes.SIZES.
        data: folder laid out like docs/data.md says.
        datasets: names of the sets, with the most images taken of each (None: all).
        orientations: of how many of the eight mirrored and turned copies a set's images are seen in (1: as on file).
        task_weights: share of each task in the mixture.
        dataset_weights: share of each set among those that can serve a task.
        policy: what is trained (model.earthgptx.trainable_parameters).
        overrides: changes to the model's configuration, "box.field" to value, for ablations.
        parts: folder of a whole model that the run starts from, as `earthgptx weights assemble` makes it; "" for the
            sizes whose parts packages hold.
        start_from: folder of a checkpoint that the run starts from, "" for a random start of what no package holds.
        warm_steps: steps on region-text alignment and masks alone, without the language model
            (docs/decisions/0007: it stands for the paper's trained ancestor).
        joint_every: n: of the later steps every n-th trains the whole model, the others marks and masks alone. Such
            a step costs less than half of a joint one and is what tells fine classes apart.
        warm_batch_size: samples of such a step.
        warm_task_weights, warm_dataset_weights: shares in such steps; empty for those of the joint steps.
        steps: steps of the whole model.
        batch_size: samples a step.
        learning_rate: of what starts random, at its highest.
        language_learning_rate: of the language model's attention, at its highest.
        weight_decay: AdamW's.
        warm_up_share: share of each phase in which the rates rise from zero.
        clip: longest gradient that is not shortened.
        alignment_weight: weight of the region-text alignment loss.
        mask_bce_weight, mask_dice_weight: LISA's 2.0 and 0.5.
        difference_bits: 4 or 8, of the language model's attention as an exported difference.
        checkpoint_minutes: time between two checkpoints.
        marks: family of every mark ("box", "point" or "freeform"); "" draws one for each.
        seed: of marks, samples and initial weights.
        mark_seed: of the fixed marks alone where it is not below 0: runs of several seeds then share cached views.
        device: where it trains, "cpu" or "cuda".
        processes: how many processes train together; 0 for as many as torchrun starts.
        recompute: whether the language model's activations are computed again in the backward pass and not kept.
        compiled: whether the language model's layers are compiled (training.compiling); the first step waits for it.
        runs: folder of run folders.
        features: folder of what the frozen parts say of the images, cached; "" caches nothing and asks them in every
            step.
        features_from: folders of other runs' cached features, which are read and never written.
    """

    name: str
    size: str
    data: str
    datasets: dict[str, int | None]
    task_weights: dict[str, float]
    orientations: dict[str, int] = field(default_factory=dict)
    dataset_weights: dict[str, float] = field(default_factory=dict)
    policy: str = "scratch"
    overrides: dict[str, int | float | str | bool | tuple[int, ...]] = field(default_factory=dict)
    parts: str = ""
    start_from: str = ""
    warm_steps: int = 0
    joint_every: int = 1
    warm_batch_size: int = 16
    warm_task_weights: dict[str, float] = field(default_factory=dict)
    warm_dataset_weights: dict[str, float] = field(default_factory=dict)
    steps: int = 1000
    batch_size: int = 16
    learning_rate: float = 5e-4
    language_learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warm_up_share: float = 0.03
    clip: float = 1.0
    alignment_weight: float = 0.3
    mask_bce_weight: float = 2.0
    mask_dice_weight: float = 0.5
    difference_bits: int = 8
    checkpoint_minutes: float = 4.0
    marks: str = ""
    seed: int = 0
    mark_seed: int = -1
    device: str = "cpu"
    processes: int = 0
    recompute: bool = False
    compiled: bool = False
    runs: str = "runs"
    features: str = "cache/features"
    features_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "warm_batch_size", "joint_every"):
            if getattr(self, name) < 1:
                raise MalformedRecipe(f"{name} is {getattr(self, name)}; it must be at least 1.")
        for name, number in self.orientations.items():
            if not 1 <= number <= NUM_ORIENTATIONS:
                raise MalformedRecipe(f"orientations of {name!r} is {number}; it must be from 1 to {NUM_ORIENTATIONS}.")
        for name in ("warm_steps", "processes"):
            if getattr(self, name) < 0:
                raise MalformedRecipe(f"{name} is {getattr(self, name)}; it must be at least 0.")
        if self.policy not in POLICIES:
            raise MalformedRecipe(f"There is no policy {self.policy!r}; known are {', '.join(POLICIES)}.")
        if self.marks not in ("", *MARK_FAMILIES):
            raise MalformedRecipe(f"There is no family of marks {self.marks!r}; known are {', '.join(MARK_FAMILIES)}.")
        if self.difference_bits not in (4, 8):
            raise MalformedRecipe(f"difference_bits is {self.difference_bits}; it must be 4 or 8.")
        self._check_tasks()

    @property
    def seed_of_marks(self) -> int:
        """What the fixed marks are drawn with."""
        return self.seed if self.mark_seed < 0 else self.mark_seed

    def _check_tasks(self) -> None:
        for weights in (self.task_weights, self.warm_task_weights or self.task_weights):
            for task in weights:
                if task not in TASKS:
                    raise MalformedRecipe(f"There is no task {task!r}; known are {', '.join(TASKS)}.")
            if not any(weight > 0 for weight in weights.values()):
                raise MalformedRecipe("Every task weight is 0; at least one must be above 0.")


def load_recipe(path: Path, overrides: list[str]) -> TrainingRecipe:
    """Reads a recipe file and applies `name=value` changes, values in JSON.

    Raises:
        MalformedRecipe: no such file, no Python in it, no `recipe()`, an unknown name or a value of another type.
    """
    return changed(made_by(path, "recipe", TrainingRecipe), overrides)


def made_by(path: Path, function: str, kind: type[Made]) -> Made:
    """What a function of a Python file returns.

    Args:
        path: of the file.
        function: its name; it is called without arguments.
        kind: of the value that is wanted.

    Raises:
        MalformedRecipe: no such file, no Python in it, no such function, or one that returns something else.
    """
    if not path.is_file():
        raise MalformedRecipe(f"There is no recipe {path}.")
    spec = importlib.util.spec_from_file_location("earthgptx_recipe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise MalformedRecipe(f"{path} is not Python: {error.msg} in line {error.lineno}.") from error
    make = getattr(module, function, None)
    made = make() if callable(make) else None
    if not isinstance(made, kind):
        raise MalformedRecipe(f"{path} has no function {function}() that returns a {kind.__name__}.")
    return made


def changed(recipe: TrainingRecipe, overrides: Sequence[str]) -> TrainingRecipe:
    """A recipe with `name=value` changes, values in JSON.

    Raises:
        MalformedRecipe: an unknown name or a value of another type.
    """
    known = {f.name for f in fields(TrainingRecipe)}
    for change in overrides:
        name, separator, text = change.partition("=")
        if not separator or name not in known:
            raise MalformedRecipe(
                f"--set {change}: there is no setting {name!r}; known are {', '.join(sorted(known))}."
            )
        recipe = replace(recipe, **{name: _typed(name, text, getattr(recipe, name))})
    return recipe


def _typed(name: str, text: str, current: object) -> Any:
    if isinstance(current, str):
        return text
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise MalformedRecipe(f"--set {name}={text}: {text!r} is not a JSON value.") from error
    if isinstance(current, float) and type(value) is int:
        value = float(value)
    if isinstance(current, tuple) and type(value) is list:
        value = tuple(value)
    if type(value) is not type(current):
        raise MalformedRecipe(
            f"--set {name}={text}: the value must be of type {type(current).__name__}, not {type(value).__name__}."
        )
    return value
