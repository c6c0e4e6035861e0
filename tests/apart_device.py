"""A device apart from the CPU, made of nothing but the CPU, to test what a GPU would refuse.

A tensor "on" it says that it is on `apart:0` and holds an ordinary CPU tensor, on which every operation really runs.
As on a GPU, an operation that is given tensors of both devices fails, and autocast follows CUDA's own lists of
operations, which are not the CPU's. A process that has once had this device keeps it: use a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "apart"
aten = torch.ops.aten
# What may be given tensors of both devices: to carry numbers from one to the other is its work.
CARRIERS = {aten.copy_.default, aten._to_copy.default}
# A GPU fetches indices from the CPU by itself.
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}

# torch.amp's documented lists for CUDA, by the names of the operations that they are made of.
TO_BF16 = (
    "addbmm addmm baddbmm bmm conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution"
    " linear matmul mm mv prelu scaled_dot_product_attention"
)
TO_FP32 = (
    "acos asin binary_cross_entropy_with_logits cosh cosine_similarity cross_entropy_loss cumprod cumsum dist erfinv"
    " exp expm1 group_norm kl_div l1_loss layer_norm log log10 log1p log2 log_softmax mse_loss nll_loss norm pow prod"
    " reciprocal rsqrt sinh smooth_l1_loss softmax softplus sum tan"
)
TO_WIDEST = "addcdiv addcmul atan2 bilinear cross dot index_put scatter_add tensordot"


class DeviceMismatchError(RuntimeError):
    """An operation was given tensors of two devices."""


class ApartTensor(Tensor):
    """A tensor that says it is elsewhere.

    Attributes:
        here: the CPU tensor behind it.
    """

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> ApartTensor:
        made = Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=f"{NAME}:0",
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        return _run(function, arguments, named or {})

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert an apart tensor to numpy; copy it to host memory first.")

    def __repr__(self, **_: Any) -> str:
        return f"ApartTensor({self.here!r})"


class _Dispatch(TorchDispatchMode):
    """Catches what makes tensors out of nothing, too."""

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        return _run(function, arguments, named or {})


class _Functions(TorchFunctionMode):
    """What torch does not dispatch: `tolist` refuses subclasses, and `x.data = y` leaves behind what they hold."""

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        if function is Tensor.tolist and isinstance(arguments[0], ApartTensor):
            return arguments[0].here.tolist()
        if function == Tensor.data.__set__ and isinstance(arguments[0], ApartTensor):  # type: ignore[attr-defined]
            arguments[0].here = arguments[1].here
        return function(*arguments, **named or {})


def _run(function: Any, arguments: Any, named: dict[str, Any]) -> Any:
    """One operation, on the CPU tensors behind its arguments."""
    leaves = [leaf for leaf in tree_leaves((arguments, named)) if isinstance(leaf, Tensor)]
    there = any(isinstance(leaf, ApartTensor) for leaf in leaves)
    if there and function not in CARRIERS:
        together = (arguments[0], arguments[2:], named) if function in INDEXING else (arguments, named)
        _refuse_strangers(function, [leaf for leaf in tree_leaves(together) if isinstance(leaf, Tensor)])
    device = named.get("device")
    named = named | ({"device": torch.device("cpu")} if device is not None else {})
    result = function(*tree_map(_here, arguments), **tree_map(_here, named))
    if function is aten.copy_.default:
        return arguments[0]
    if (device is None and there) or (device is not None and torch.device(device).type == NAME):
        before = {id(_here(leaf)): leaf for leaf in leaves}  # what works in place gives back what it was given
        return tree_map(lambda made: _there(made, before), result)
    return result


def _refuse_strangers(function: Any, tensors: list[Tensor]) -> None:
    strangers = [tuple(one.shape) for one in tensors if not isinstance(one, ApartTensor) and one.ndim > 0]
    if strangers:  # a number without dimensions may come from anywhere
        raise DeviceMismatchError(f"{function} was given tensors of {NAME}:0 and, of shapes {strangers}, of the CPU.")


def _here(value: Any) -> Any:
    return value.here if isinstance(value, ApartTensor) else value


def _there(value: Any, before: dict[int, Tensor]) -> Any:
    if isinstance(value, Tensor) and not isinstance(value, ApartTensor):
        return before[id(value)] if id(value) in before else ApartTensor(value)
    return value


class _Module(_DummyBackendModule):
    """What `torch.apart` is asked by torch itself."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


_libraries: list[torch.library.Library] = []


def register() -> None:
    """Makes the device known, once a process; it stays known for as long as the process lives."""
    if _libraries:
        return
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
    # `torch.tensor` and an index that is a list are copied to a device below the reach of any dispatch mode.
    copying = torch.library.Library("aten", "IMPL")
    copying.impl("empty_strided", _empty_strided, "PrivateUse1")
    copying.impl("_copy_from", _copy_from, "PrivateUse1")
    others = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
    others.fallback(torch.library.fallthrough_kernel)
    library = torch.library.Library("aten", "IMPL")
    _libraries.extend((copying, others, library))
    for names, change in ((TO_BF16, _to_bf16), (TO_FP32, _to_fp32), (TO_WIDEST, _widest)):
        for name in names.split():
            packet = getattr(aten, name)
            for overload in packet.overloads():
                if "out" not in overload:
                    operation = getattr(packet, overload)
                    full = name if overload == "default" else f"{name}.{overload}"
                    library.impl(full, _autocast(operation, change), "AutocastPrivateUse1")


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **_: Any) -> Tensor:
    return ApartTensor(torch.empty_strided(size, stride, dtype=dtype, device="cpu"))


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    _here(target).copy_(_here(source))
    return target


def _autocast(operation: Any, change: Callable[[list[Tensor]], torch.dtype]) -> Callable[..., Any]:
    key = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)

    def kernel(*arguments: Any, **named: Any) -> Any:
        floats = [leaf for leaf in tree_leaves((arguments, named)) if _is_cast(leaf)]
        with torch._C._ExcludeDispatchKeyGuard(key):
            if not floats:
                return operation(*arguments, **named)
            dtype = change(floats)
            arguments, named = tree_map(lambda leaf: leaf.to(dtype) if _is_cast(leaf) else leaf, (arguments, named))
            return operation(*arguments, **named)

    return kernel


def _is_cast(leaf: Any) -> bool:
    return isinstance(leaf, ApartTensor) and leaf.is_floating_point() and leaf.dtype != torch.float64


def _to_bf16(floats: list[Tensor]) -> torch.dtype:
    return torch.bfloat16


def _to_fp32(floats: list[Tensor]) -> torch.dtype:
    return torch.float32


def _widest(floats: list[Tensor]) -> torch.dtype:
    return torch.float32 if any(leaf.dtype == torch.float32 for leaf in floats) else floats[0].dtype


@contextmanager
def apart_device() -> Iterator[torch.device]:
    """The device, for as long as the block lasts."""
    register()
    with _Dispatch(), _Functions():
        yield torch.device(NAME, 0)
