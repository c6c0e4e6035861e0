"""EarthGPT-X: answers in words and masks about marked regions of optical, SAR and infrared imagery.

The public names are imported when they are first used, so that `import earthgptx` is instant and silent.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earthgptx.data.imagery import Scene
    from earthgptx.inference.answer import Answer
    from earthgptx.inference.loading import load
    from earthgptx.inference.session import Question
    from earthgptx.shapes import Box, Ellipse, Mask, Point, Polygon, Scribble

    __version__: str

__all__ = [
    "Answer",
    "Box",
    "Ellipse",
    "Mask",
    "Point",
    "Polygon",
    "Question",
    "Scene",
    "Scribble",
    "__version__",
    "load",
]

# Where each public name really lives.
_HOMES = {
    "Answer": "earthgptx.inference.answer",
    "Box": "earthgptx.shapes",
    "Ellipse": "earthgptx.shapes",
    "Mask": "earthgptx.shapes",
    "Point": "earthgptx.shapes",
    "Polygon": "earthgptx.shapes",
    "Question": "earthgptx.inference.session",
    "Scene": "earthgptx.data.imagery",
    "Scribble": "earthgptx.shapes",
    "load": "earthgptx.inference.loading",
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first asked for, and keeps it (PEP 562)."""
    if name == "__version__":
        value: object = metadata.version("earthgptx")
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'earthgptx' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, whether imported yet or not."""
    return sorted({*globals(), *__all__})
