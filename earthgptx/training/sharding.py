"""A model over the processes of a run: the language model's layers in shards (FSDP2), all else whole in each.

The layers are nearly all of a large model and all of a step reads them in lockstep. What stands around them is small,
and which of it a step uses depends on the samples a process holds: a batch without a mask draws none. So those
gradients are summed here, as DDP does with unused parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils.checkpoint import checkpoint

from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.training.world import World

COMPUTE = torch.bfloat16  # precision of a step; what is trained is kept in fp32


def place(model: EarthGPTX, world: World) -> None:
    """Brings a model to its device; layers that will be sharded stay where they are until then, one card may be small.

    Args:
        model: as it was assembled.
        world: whose device is meant.
    """
    llama = model.language.llama.model
    layers = llama.layers
    if world.size > 1:
        llama.layers = nn.ModuleList()
    nn.Module.to(model, world.device)  # transformers wraps its own `to` without types
    llama.layers = layers


def prepare(model: EarthGPTX, world: World, *, recompute: bool) -> dict[str, nn.Parameter]:
    """Makes what is trained fp32, and shards the language model's layers where there are several processes.

    Args:
        model: placed, with `requires_grad` of what is trained; changed in place.
        world: over whose processes it is spread.
        recompute: whether a layer's activations are computed again in the backward pass and not kept.

    Returns:
        What is trained, by name: fp32 masters, DTensors where they are sharded.
    """
    llama = model.language.llama.model
    for layer in llama.layers:
        _make_masters(layer)
        if recompute:
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
        if world.size > 1:
            _shard(layer, world)
    if world.size > 1:
        # The root, by which a layer knows which one to gather next; it has no parameters of its own.
        inside = {id(parameter) for parameter in llama.layers.parameters()}
        _shard(llama, world, ignored={p for p in llama.parameters() if id(p) not in inside})
    _make_masters(model)
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _make_masters(module: nn.Module) -> None:
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _shard(module: nn.Module, world: World, ignored: set[nn.Parameter] | None = None) -> None:
    fully_shard(
        module,
        mesh=init_device_mesh(world.device.type, (world.size,)),
        # As autocast has it in one process: weights are rounded to bf16 where they are used, gradients add up in fp32.
        mp_policy=MixedPrecisionPolicy(param_dtype=COMPUTE, reduce_dtype=torch.float32, cast_forward_inputs=False),
        ignored_params=ignored,
    )


def average_gradients(parameters: Iterable[nn.Parameter], world: World) -> None:
    """Averages the gradients of what every process holds whole, as FSDP has done for the shards.

    A parameter that no process used keeps no gradient, so that the optimizer leaves it alone, as in one process.
    """
    if world.size == 1:
        return
    whole = [parameter for parameter in parameters if not isinstance(parameter, DTensor)]
    users = world.sum(torch.tensor([float(parameter.grad is not None) for parameter in whole]))
    used = [parameter for parameter, count in zip(whole, users.tolist(), strict=True) if count]
    if not used:
        return
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in used])
    world.sum(flat).div_(world.size)
    for parameter, part in zip(used, flat.split([p.numel() for p in used]), strict=True):
        parameter.grad = part.view_as(parameter)


def clip_gradients(parameters: Iterable[nn.Parameter], longest: float) -> float:
    """Shortens the gradient of all parameters together, sharded and whole ones; returns how long it was."""
    kinds: dict[bool, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            kinds.setdefault(isinstance(parameter, DTensor), []).append(parameter)
    norms = [whole(get_total_norm([p.grad for p in kind if p.grad is not None])) for kind in kinds.values()]
    norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
    for kind in kinds.values():
        clip_grads_with_norm_(kind, longest, norm)
    return float(norm)


def whole(value: torch.Tensor) -> torch.Tensor:
    """A tensor with all its shards; each process must ask for it."""
    return value.full_tensor() if isinstance(value, DTensor) else value
