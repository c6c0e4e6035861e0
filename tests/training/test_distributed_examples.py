"""The examples for clusters are read as their readers read them, and the commands in them are ones that we take."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from earthgptx.cli import app
from earthgptx.data.datasets import DATASETS
from earthgptx.training.recipe import TrainingRecipe, load_recipe

ROOT = Path(__file__).parents[2]
SLURM = ROOT / "examples" / "cluster" / "train.slurm"
KUBERNETES = ROOT / "examples" / "cluster" / "train.yaml"

# Fields of kubeflow.org/v1 that a PyTorchJob of pods may have here, from its custom resource definition.
JOB = {"pytorchReplicaSpecs", "elasticPolicy", "nprocPerNode", "runPolicy"}
ELASTIC = {
    "minReplicas", "maxReplicas", "rdzvBackend", "rdzvHost", "rdzvPort", "rdzvId", "rdzvConf", "standalone",
    "nProcPerNode", "maxRestarts", "metrics",
}  # fmt: skip
REPLICA = {"replicas", "template", "restartPolicy"}
RESTARTS = {"Always", "OnFailure", "Never", "ExitCode"}


def recipe_of(words: list[str]) -> TrainingRecipe:
    """The recipe that a command line of torchrun trains by, as our own command line reads it."""
    assert words[0] == "torchrun"
    place = words.index("-m")
    assert words[place + 1 : place + 3] == ["earthgptx", "train"]
    verb: Any = typer.main.get_command(app)
    context = verb.commands["train"].make_context("train", words[place + 3 :])
    return load_recipe(ROOT / context.params["recipe"], context.params["overrides"])


def slurm_command() -> list[str]:
    text = SLURM.read_text().replace("\\\n", " ")
    [line] = [line for line in text.splitlines() if line.startswith("srun ")]
    line = line.replace("$((SLURM_NNODES * CARDS))", "16")
    words = shlex.split(line)
    return words[words.index("torchrun") :]


def test_the_slurm_example_is_bash_and_its_command_is_ours():
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    subprocess.run([bash, "-n", str(SLURM)], check=True)
    words = slurm_command()
    assert recipe_of(words).processes == 16
    options = {word for word in words[: words.index("-m")] if word.startswith("--")}
    from torch.distributed.run import get_args_parser

    assert options <= {option for action in get_args_parser()._actions for option in action.option_strings}
    settings = dict(
        line.removeprefix("#SBATCH --").split("=", 1)
        for line in SLURM.read_text().splitlines()
        if line.startswith("#SBATCH")
    )
    assert int(settings["nodes"]) * int(settings["gpus-per-node"]) == 16
    assert settings["ntasks-per-node"] == "1"  # one torchrun a machine, which starts the others


def test_the_kubernetes_example_has_the_fields_of_a_pytorchjob():
    job = yaml.safe_load(KUBERNETES.read_text())
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    assert set(job) == {"apiVersion", "kind", "metadata", "spec"}
    spec = job["spec"]
    assert set(spec) <= JOB
    assert isinstance(spec["nprocPerNode"], str)
    assert set(spec["elasticPolicy"]) <= ELASTIC
    [(kind, replica)] = spec["pytorchReplicaSpecs"].items()
    assert kind == "Worker"  # an elastic job has no master
    assert set(replica) <= REPLICA
    assert replica["restartPolicy"] in RESTARTS
    assert spec["elasticPolicy"]["minReplicas"] <= replica["replicas"] <= spec["elasticPolicy"]["maxReplicas"]
    pod = replica["template"]["spec"]
    [container] = pod["containers"]
    assert container["name"] == "pytorch"  # the operator looks for this name
    assert container["resources"]["limits"]["nvidia.com/gpu"] == int(spec["nprocPerNode"])
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert recipe_of(container["command"]).processes == replica["replicas"] * int(spec["nprocPerNode"])


def test_the_recipe_of_the_paper_is_the_paper_s():
    recipe = load_recipe(ROOT / "recipes" / "paper.py", [])
    assert (recipe.learning_rate, recipe.language_learning_rate, recipe.weight_decay) == (2e-5, 2e-5, 0.01)
    assert (recipe.mask_bce_weight, recipe.mask_dice_weight, recipe.warm_up_share, recipe.clip) == (2.0, 0.5, 0.03, 1.0)
    assert set(recipe.datasets) <= set(DATASETS)
    domains = {DATASETS[name].domain for name in recipe.datasets}
    assert domains == {"natural", "optical", "sar", "infrared"}
    for task in recipe.task_weights:  # each has a set that can serve it
        assert any(task in DATASETS[name].tasks for name in recipe.datasets), task
    assert sum(recipe.task_weights.values()) == pytest.approx(1)
    assert load_recipe(ROOT / "recipes" / "paper.py", ["policy=paper", "processes=8"]).processes == 8
