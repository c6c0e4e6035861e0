"""Counts the bytes of tensors that are alive while a step runs, on tensors with numbers or without.

Tensors without numbers are torch's fake ones: they know shape, type and device, and every operation on them does.
Which sample owns a mark and where a word stands are real numbers all the same, so that a step goes its usual way.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


class LiveMemory(TorchDispatchMode):
    """Within its context: the storages made and not yet dropped.

    Gradients of parameters are counted apart, each as many bytes as it is said to take.

    Attributes:
        activations, gradients: bytes now.
        fullest: both, at the moment when their sum was the largest.

    Args:
        gradient_bytes: of each trained parameter's gradient, once it is complete.
        known: tensors that were there before and are counted elsewhere.
    """

    def __init__(self, gradient_bytes: Mapping[nn.Parameter, int], known: Iterable[Tensor]) -> None:
        super().__init__()
        self.activations = 0
        self.gradients = 0
        self.fullest = (0, 0)
        self._gradient_bytes = gradient_bytes
        self._known = [tensor.untyped_storage() for tensor in known]
        self._counted = {id(storage): 0 for storage in self._known}
        self._handles = [p.register_post_accumulate_grad_hook(self._take_gradient) for p in gradient_bytes]

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for handle in self._handles:
            handle.remove()

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.index.Tensor:  # a mask of real numbers says itself how many it picks
            args = (args[0], [place for one in args[1] for place in _places(one)])
        result = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._count, result)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if id(storage) in self._counted:
            return
        self._counted[id(storage)] = storage.nbytes()
        self.activations += storage.nbytes()
        weakref.finalize(storage, self._drop, id(storage)).atexit = False
        self._look()

    def _drop(self, name: int) -> None:
        self.activations -= self._counted.pop(name)

    def _take_gradient(self, parameter: Tensor) -> None:
        assert parameter.grad is not None
        name = id(parameter.grad.untyped_storage())
        self.activations -= self._counted.get(name, 0)
        self._counted[name] = 0
        self.gradients += self._gradient_bytes[parameter]  # type: ignore[index]  # hooks are given the parameter
        self._look()

    def _look(self) -> None:
        if self.activations + self.gradients > sum(self.fullest):
            self.fullest = (self.activations, self.gradients)


def without_numbers(module: nn.Module, device: torch.device) -> FakeTensorMode:
    """Takes a module from the meta device to fake tensors on a device that need not be there; gives their mode back."""
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with fake:
        module.to_empty(device=device)
    return fake


def _places(index: Tensor | None) -> tuple[Tensor | None, ...]:
    return index.nonzero(as_tuple=True) if index is not None and index.dtype is torch.bool else (index,)
