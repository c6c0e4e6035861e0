"""What is run on the device apart from the CPU, in a process of its own: `python -m tests.apart_checks FOLDER`.

Prints one JSON line: the name of each check, and "" or what went wrong.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.inference.generation import Generator, Request
from earthgptx.model.configuration import SpatialConfig, VisionConfig
from earthgptx.model.feature_store import FeatureStore
from earthgptx.model.vision import Vision
from earthgptx.shapes import Box, Point
from tests.apart_device import ApartTensor, DeviceMismatchError, apart_device, register
from tests.fixtures.make_all import make_all
from tests.tiny_model import LARGE, picture, prepare, samples_of_all_tasks, tiny_config, tiny_model, tiny_processor
from tests.training.small_run import small_trainer

Check = Callable[[torch.device, Path], None]


def the_device_is_strict(device: torch.device, folder: Path) -> None:
    """Else none of the others would say anything."""
    there, here = torch.ones(3, device=device), torch.ones(3)
    for mistake in (lambda: there + here, lambda: here[there.long()], lambda: torch.cat([here, there])):
        try:
            mistake()
        except DeviceMismatchError:
            continue
        raise AssertionError("tensors of two devices met")
    assert isinstance(torch.tensor([1, 2], device=device), ApartTensor)
    assert there[[0, 1]].device == device
    assert there.to("cpu").device == here.device
    with torch.autocast(device.type, torch.bfloat16):
        product = torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)
        assert product.dtype == torch.bfloat16
        assert nn.functional.layer_norm(product, (2,)).dtype == torch.float32


def every_kind_of_model_runs_forward_and_back(device: torch.device, folder: Path) -> None:
    """Eqs. 1-13 in every variant that has code of its own."""
    coordinates = tiny_config(kind="none")
    coordinates.spatial = SpatialConfig(width=32, num_layers=1, num_heads=2, kind="coordinates")
    samples = samples_of_all_tasks()
    for config in (tiny_config(), tiny_config(kind="literal", encoder="sam"), coordinates):
        model = tiny_model(config)
        nn.Module.to(model, device)
        batch = prepare(samples, config).batch(0, 5).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            output = model(batch)
        (output.answer_logits.sum() + output.regions.sum() + sum(mask.sum() for mask in output.masks)).backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert {gradient.device for gradient in gradients} == {device}


def a_convnext_looks(device: torch.device, folder: Path) -> None:
    """The published sizes' CNN, with CLIP's own statistics."""
    vit = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 224, "patch_size": 14}
    cnn = {"num_channels": 3, "hidden_sizes": [4, 4, 8, 8], "depths": [1, 1, 1, 1]}
    config = VisionConfig(vit=vit, cnn_kind="convnext", cnn=cnn, cnn_channels=(8,), cnn_token_levels=(0,))
    vision = Vision(config).to(torch.bfloat16).to(device)
    features = vision(torch.zeros(1, 3, 224, 224, dtype=torch.uint8, device=device))
    assert features.cnn[0].device == device


def a_run_trains(device: torch.device, folder: Path) -> None:
    """Marks alone, then everything, from labels to the optimizer's state."""
    data = make_all(folder / "data")
    trainer = small_trainer(data, folder, device=str(device), warm_steps=1, joint_every=1, steps=1)
    for batch in trainer._batches():
        trainer.train_step(batch)
    assert trainer.step == 2
    assert {parameter.device for parameter in trainer.parameters.values()} == {device}
    moments = [entry["exp_avg"] for entry in trainer.optimizer.state.values()]
    assert {moment.device for moment in moments} == {device}


def questions_are_answered(device: torch.device, folder: Path) -> None:
    """Greedy, sampled and searched, with zooms from a store, marked and free masks by both kinds of encoders."""
    for encoder in ("towers", "sam"):
        config = tiny_config(encoder=encoder)
        model = tiny_model(config).requires_grad_(False)
        model.language.to(torch.bfloat16)
        nn.Module.to(model, device)
        store = FeatureStore(folder / encoder, model.vision.feature_shapes())
        generator = Generator(model, tiny_processor(config), store)
        pix = generator.processor.vocabulary.pix
        with torch.no_grad():  # so loud that it is said
            model.language.new_words[pix - model.language.base_vocabulary_size].mul_(100.0)
        searched = ((0.0, 1), (1.0, 1), (0.0, 2)) if encoder == "towers" else ((0.0, 1),)
        for modes in (searched, ((0.0, 1),)):  # the second time the features come from the store
            views = generator.look(Scene.from_array(picture(LARGE), sensor="optical"))
            marked = Request(
                views=views, turns=(Turn("user", "What is it?"),), marks=(Box(20, 30, 44, 54), Point(9, 9))
            )
            free = Request(views=views, turns=(Turn("user", "Where are ships?"),), marks=())
            for temperature, num_beams in modes:
                answers = generator.generate(
                    [marked, free],
                    max_new_tokens=2,
                    temperature=temperature,
                    seed=0,
                    on_text=None,
                    num_beams=num_beams,
                )
                shapes = {mask.shape for answer in answers for mask in answer.masks}
                assert shapes in (set(), {LARGE[::-1]})
                assert shapes or temperature or num_beams > 1


CHECKS: tuple[Check, ...] = (
    the_device_is_strict,
    every_kind_of_model_runs_forward_and_back,
    a_convnext_looks,
    a_run_trains,
    questions_are_answered,
)


class _Sampler(torch.Generator):
    """The device's own random numbers, which torch lets nobody have whose device is written in Python."""

    def __new__(cls, device: Any = "cpu") -> torch.Generator:
        return super().__new__(cls, "cpu")


def main() -> None:
    """Runs all checks, whatever becomes of each."""
    register()
    torch.Generator = _Sampler  # type: ignore[misc]
    outcomes = {}
    for check in CHECKS:
        folder = Path(sys.argv[1]) / check.__name__
        folder.mkdir()
        try:
            with apart_device() as device:
                check(device, folder)
            outcomes[check.__name__] = ""
        except Exception:
            outcomes[check.__name__] = traceback.format_exc()
    sys.stdout.write(json.dumps(outcomes) + "\n")


if __name__ == "__main__":
    main()
