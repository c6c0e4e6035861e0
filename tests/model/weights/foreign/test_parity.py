"""What the original packages compute, our model computes with their weights: outputs, and every tensor's gradient.

The golden files were made by tests/fixtures/make_foreign_goldens.py with the originals; each names one slope a tensor
of theirs, the gradient of a weighted sum of the outputs along a drawn direction. The same direction, brought into our
names by the same table as the weights, must give the same slope in our model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.weights.foreign import convnext, dinov2, llama, sam
from earthgptx.model.weights.foreign.key_map import Part
from tests.fixtures.make_foreign_goldens import FOLDER, LLAMA, direction, drawn, tokens
from tests.model.weights.foreign.small import golden_shapes, original, small_config, write_meta_llama

SLOPE = "slope of "


def opened(name: str, state: Mapping[str, Tensor], folder: Path, *, num_shards: int = 1) -> Part:
    """A part from a file of tensors in the original's names."""
    config = small_config(num_words=LLAMA["vocab_size"])
    if name == "llama":
        return llama.open_llama(write_meta_llama(folder, state, num_shards=num_shards), config.language, "paper")
    path = folder / f"{name}.safetensors"
    save_file(dict(state), str(path))
    if name == "dinov2":
        return dinov2.open_dinov2(path, config.vision.vit)
    if name == "convnext":
        return convnext.open_convnext(path, config.vision.cnn)
    return sam.open_sam(path, config.pixels.sam_vision, config.pixels.sam_decoder)


def model_with(part: Part) -> EarthGPTX:
    """Our model in fp32, with a part's weights in place; every tensor of the part must find its own."""
    model = EarthGPTX(small_config(num_words=LLAMA["vocab_size"])).eval()
    state = dict(part.tensors())
    outcome = model.load_state_dict(state, strict=False)
    assert not outcome.unexpected_keys
    return model


def outputs_of(name: str, model: EarthGPTX, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The golden file's outputs, by our model."""
    if name == "dinov2":
        return {"tokens": model.vision.vit(pixel_values=inputs["image"]).last_hidden_state}
    if name == "convnext":
        assert model.vision.cnn is not None
        found = model.vision.cnn(pixel_values=inputs["image"])
        return {"map": found.last_hidden_state, "pooled": found.pooler_output}
    if name == "llama":
        return {"logits": model.language.llama(input_ids=tokens()).logits}
    assert model.pixels.sam_encoder is not None
    model.pixels.language_to_pixel = nn.Sequential()  # the prompt is given, not made of a state
    embedding = model.pixels.sam_encoder(inputs["image"]).last_hidden_state
    return {"embedding": embedding, "mask": model.pixels(embedding, inputs["prompt"][0], None)}


# Measured on x86_64 with torch 2.13.0: the largest difference of an output is 1.7e-6 for dinov2, 1.4e-6 for convnext,
# 2.0e-6 for sam, 1.8e-6 for llama; of a slope, against the part's largest, 1.5e-7, 3.3e-7, 2.8e-6 and 1.0e-6. With the
# decoder's epsilon as transformers has it, sam would differ by 4.4e-5 and 2.1e-4.
@pytest.mark.parametrize(
    ("name", "num_shards"), [("dinov2", 1), ("convnext", 1), ("sam", 1), ("llama", 1), ("llama", 2)]
)
def test_outputs_and_gradients_are_the_original_s(name: str, num_shards: int, tmp_path: Path):
    golden = load_file(FOLDER / f"{name}.safetensors")
    part = opened(name, original(name), tmp_path, num_shards=num_shards)
    model = model_with(part)
    inputs = {key: drawn(key, shape).requires_grad_() for key, shape in INPUTS[name].items()}
    outputs = outputs_of(name, model, inputs)
    worst = max(float((outputs[key].detach() - golden[key]).abs().max()) for key in outputs)
    sum((output * direction(key, output.shape)).sum() for key, output in outputs.items()).backward()
    wanted = {key.removeprefix(SLOPE): float(value) for key, value in golden.items() if key.startswith(SLOPE)}
    found = {key: slope(value.grad, direction(key, value.shape)) for key, value in inputs.items()}
    directions = {key: direction(key, shape) for key, shape in golden_shapes(name).items()}
    folder = tmp_path / "directions"
    folder.mkdir()
    found |= slopes(model, opened(name, directions, folder, num_shards=num_shards))
    largest = max(map(abs, wanted.values()))
    never_used = wanted.keys() - found.keys()  # what the original computes and drops, and biases that no softmax sees
    assert found.keys() <= wanted.keys()
    assert not never_used or name == "sam"
    assert worst < 1e-5
    assert max(abs(found.get(key, 0.0) - value) for key, value in wanted.items()) < 1e-5 * largest


INPUTS: dict[str, dict[str, tuple[int, ...]]] = {
    "dinov2": {"image": (1, 3, 42, 42)},
    "convnext": {"image": (1, 3, 64, 64)},
    "sam": {"image": (1, 3, 64, 64), "prompt": (1, 1, 32)},
    "llama": {},
}


def slope(gradient: Tensor | None, along: Tensor) -> float:
    """A gradient along a direction."""
    assert gradient is not None
    return float((gradient.double() * along.double()).sum())


def slopes(model: EarthGPTX, directions: Part) -> dict[str, float]:
    """Slopes by the originals' names, of tensors that have a gradient; several of ours may be one of theirs."""
    parameters = dict(model.named_parameters())
    homes = {directions.prefix + row.ours: row.theirs for row in directions.layout.rows}
    found: dict[str, float] = defaultdict(float)
    for name, along in directions.tensors():
        gradient = parameters[name].grad
        if gradient is not None:
            found[homes[name]] += slope(gradient, along)
    return dict(found)
