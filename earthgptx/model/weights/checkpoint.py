"""What nano learned, and nothing that a package already holds, as one safetensors file beside its configuration.

The language model's attention is stored as a difference from the pretrained weights, in groups of small integers with
a scale each: the difference is small, so its rounding is smaller still (docs/decisions/0005 gives the measured loss).
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from earthgptx.errors import BrokenCheckpoint
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import EarthGPTX, stored_parameters
from earthgptx.model.weights.foreign.tensor_files import ADAPTER, PICKLES, adapter_given, pickle_given

TRAINED = "trained.safetensors"
GROUP = 64  # weights that share a scale
ATTENTION = "language.llama."
FREQUENCIES = "pixels.positions."


def save_trained(model: EarthGPTX, folder: Path, *, base: dict[str, Tensor] | None = None, bits: int = 8) -> Path:
    """Writes `config.json` and `trained.safetensors`.

    Args:
        model: trained.
        folder: made where missing.
        base: pretrained weights by their names in the model; their attention is then stored as a difference.
        bits: of each stored difference, 4 or 8.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, parameter in stored_parameters(model).items():
        value = parameter.detach().float().cpu()
        if base is not None and name in base:
            codes, scales = quantise(value - base[name].float(), bits)
            tensors[name + ".codes"], tensors[name + ".scales"] = codes, scales
        else:
            # SAM's frequencies are not trained: bf16 would move the phase of every position.
            kept = torch.float32 if name.startswith(FREQUENCIES) else torch.bfloat16
            tensors[name] = value.to(kept).contiguous()
    model.config.save_pretrained(folder)
    save_file(tensors, str(folder / TRAINED), metadata={"bits": str(bits), "group": str(GROUP)})
    return folder


def read_configuration(folder: Path, *, weights: str | None = TRAINED) -> EarthGPTXConfig:
    """The configuration of a checkpoint folder.

    Args:
        folder: of the checkpoint.
        weights: file that must lie beside it; None where the caller has found its weights.

    Raises:
        BrokenCheckpoint: there is none, or it is not ours.
    """
    path = folder / "config.json"
    if not path.is_file() or (weights is not None and not (folder / weights).is_file()):
        raise _no_checkpoint(folder)
    try:
        loaded = json.loads(path.read_text())
        if not isinstance(loaded, dict) or loaded.get("model_type") != EarthGPTXConfig.model_type:
            raise ValueError(f"its model_type is not {EarthGPTXConfig.model_type!r}")
        return EarthGPTXConfig.from_dict(loaded)
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenCheckpoint(f"{path} is not an EarthGPT-X configuration: {error}.") from error


def _no_checkpoint(folder: Path) -> BrokenCheckpoint:
    """The error for a folder that lacks a checkpoint's files: what it holds instead, where that can be told."""
    if (folder / ADAPTER).is_file():
        return adapter_given(folder)
    pickles = sorted(path for path in folder.glob("*") if path.suffix in PICKLES)
    if pickles:
        return pickle_given(pickles[0])
    return BrokenCheckpoint(f"{folder} is not a checkpoint: it needs config.json and {TRAINED}.")


def load_trained(model: EarthGPTX, folder: Path) -> None:
    """Puts a checkpoint's weights into an assembled model, differences on top of what is there.

    Raises:
        BrokenCheckpoint: another size, a truncated file, or names and shapes that are not this model's.
    """
    size = read_configuration(folder).size_name
    if size != model.config.size_name:
        raise BrokenCheckpoint(
            f"{folder} is a checkpoint of the size {size!r}, but the model is {model.config.size_name!r}."
        )
    wanted = stored_parameters(model)
    try:
        with safe_open(str(folder / TRAINED), framework="pt") as file:
            bits = int((file.metadata() or {}).get("bits", "8"))
            names = file.keys()
            stored = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise BrokenCheckpoint(f"{folder / TRAINED} cannot be read: {error}.") from error
    plain = {name for name in stored if not name.endswith((".codes", ".scales"))}
    known = plain | {name.removesuffix(".codes") for name in stored if name.endswith(".codes")}
    if known != set(wanted):
        odd = sorted(known ^ set(wanted))
        raise BrokenCheckpoint(
            f"{folder / TRAINED} holds {len(known)} weights, this model has {len(wanted)}; "
            f"they differ in {', '.join(odd[:5])}."
        )
    with torch.no_grad():
        for name, parameter in wanted.items():
            if name in plain:
                value = stored[name]
                if value.shape != parameter.shape:
                    raise BrokenCheckpoint(
                        f"{name} has shape {tuple(value.shape)}, this model wants {tuple(parameter.shape)}."
                    )
                parameter.copy_(value)
            else:
                parameter.copy_(parameter.float() + _stored_change(stored, name, parameter.shape, bits))


def _stored_change(stored: dict[str, Tensor], name: str, shape: torch.Size, bits: int) -> Tensor:
    codes, scales = stored[name + ".codes"], stored.get(name + ".scales", torch.zeros(0))
    num_groups = -(-shape.numel() // GROUP)
    num_bytes = num_groups * GROUP * bits // 8
    if (codes.numel(), len(scales)) != (num_bytes, num_groups):
        raise BrokenCheckpoint(
            f"{name} is stored in {codes.numel()} bytes with {len(scales)} scales, "
            f"this model wants {num_bytes} bytes with {num_groups}."
        )
    return restore(codes, scales, shape, bits)


def quantise(change: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """A difference as codes and fp16 scales: groups of GROUP along the flattened weight share a scale.

    Returns:
        Codes, int8, two a byte where bits is 4; scales (groups,).
    """
    flat = change.flatten()
    groups = torch.nn.functional.pad(flat, (0, -len(flat) % GROUP)).unflatten(0, (-1, GROUP))
    most = 2 ** (bits - 1) - 1
    # 2^-24 is fp16's smallest number: a group that did not change gets a scale that it can be divided by.
    scales = (groups.abs().amax(dim=1) / most).clamp(min=2**-24).to(torch.float16)
    codes = (groups / scales.float()[:, None]).round().clamp(-most, most).to(torch.int8).flatten()
    if bits == 4:
        shifted = (codes + 8).to(torch.uint8)
        codes = (shifted[0::2] | (shifted[1::2] << 4)).view(torch.int8)
    return codes, scales


def restore(codes: Tensor, scales: Tensor, shape: torch.Size, bits: int) -> Tensor:
    """The inverse of `quantise`, in fp32."""
    if bits == 4:
        packed = codes.view(torch.uint8)
        codes = torch.stack([packed & 15, packed >> 4], dim=1).flatten().to(torch.int8) - 8
    values = codes.float().unflatten(0, (-1, GROUP)) * scales.float()[:, None]
    return values.flatten()[: shape.numel()].view(shape)
