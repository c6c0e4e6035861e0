"""Who may import whom. The order of LAYERS is the order of the README's tree, and of the data's way.

Every import statement of the package is read with `ast`, those inside functions and under TYPE_CHECKING too:
an arrow that exists only for the type checker is an arrow in the reader's head all the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "earthgptx"

# A module imports from its own layer's folder and from the layers above it in this list.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("heap",),
    ("wheels",),
    ("provenance",),
    ("rasters",),
    ("marks",),
    ("shapes",),
    ("data",),
    ("processing",),
    ("model",),
    ("training", "inference"),  # siblings: a server never pulls in the trainer, nor the trainer a session
    ("evaluation",),
    ("geo",),
    ("serving",),
    ("cli",),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
DOORS = {"__init__", "__main__"}  # the package's two entrances name what lies behind them

BOXES = ("vision", "spatial", "fusion", "language", "pixels")

# (where, what may not be imported there, except where)
BANNED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("", ("torchvision", "timm", "cv2"), ""),
    ("data", ("torch", "tokenizers", "transformers"), ""),
    ("model", ("PIL", "rasterio", "tokenizers", "earthgptx.data"), "model/weights"),
    ("evaluation/metrics", ("earthgptx.model", "earthgptx.training", "earthgptx.inference"), ""),
    ("serving", ("earthgptx.model", "earthgptx.training"), ""),
)


def modules() -> list[Path]:
    """Every Python file of the package, as a path below it."""
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports(module: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything that a module imports; `from a import b` yields a.b."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: write imports from the package's root"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def layer_of(module: Path) -> str:
    """The folder, or the file without its ending, right under the package."""
    return module.parts[0].removesuffix(".py")


def begins(name: str, prefix: str) -> bool:
    """Whether a dotted or slashed name lies at or under a prefix."""
    return name == prefix or name.startswith((prefix + ".", prefix + "/")) or not prefix


def dotted(module: Path) -> str:
    """The name under which a file is imported."""
    return ".".join(("earthgptx", *module.with_suffix("").parts)).removesuffix(".__init__")


def box_of(name: str) -> str | None:
    """The model's box that a dotted name lies in, if any."""
    match name.split("."):
        case ["earthgptx", "model", box, *_] if box in BOXES:
            return box
    return None


def test_every_folder_has_a_place():
    assert {layer_of(module) for module in modules()} - DOORS <= set(RANK)


@pytest.mark.parametrize("module", modules(), ids=str)
def test_imports_point_upwards(module: Path):
    own = layer_of(module)
    if own in DOORS:
        return
    for line, name in imports(module):
        if name.startswith("earthgptx."):
            other = name.split(".")[1]
            allowed = other == own or RANK.get(other, len(LAYERS)) < RANK[own]
            assert allowed, f"{module}:{line}: {own} may not import {other} ({name})"


@pytest.mark.parametrize("module", modules(), ids=str)
def test_boxes_never_meet(module: Path):
    own = box_of(dotted(module))
    for line, name in imports(module) if own else ():
        other = box_of(name)
        assert other in (None, own), f"{module}:{line}: {own} imports {other}; only the conductor may"


@pytest.mark.parametrize(("where", "names", "exception"), BANNED, ids=lambda value: str(value))
def test_banned_imports(where: str, names: tuple[str, ...], exception: str):
    for module in modules():
        place = module.with_suffix("").as_posix()
        if begins(place, where) and not (exception and begins(place, exception)):
            for line, name in imports(module):
                assert not any(begins(name, banned) for banned in names), f"{module}:{line}: imports {name}"


def test_no_cycle_between_files():
    known = {dotted(module) for module in modules()}
    arrows: dict[str, set[str]] = {name: set() for name in known}
    for module in modules():
        own = dotted(module)
        if module.stem in DOORS:
            continue  # a package's front door re-exports what lies behind it
        for _, name in imports(module):
            target = name if name in known else name.rpartition(".")[0]
            if target in known and target != own:
                arrows[own].add(target)
    settled: set[str] = set()
    while ready := {name for name in known - settled if arrows[name] <= settled}:
        settled |= ready
    assert known == settled, f"these files import each other in a circle: {sorted(known - settled)}"
