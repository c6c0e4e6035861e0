"""Time and memory against the size of an image, the number of marks, the length of an answer and of a corpus.

Each curve is measured by a process of its own. Its exponent, the slope on logarithmic axes over the upper half of the
sizes, is compared with the one that the arithmetic of the work gives over the same sizes: the benchmark fails where
time or memory grows faster. A table comes last; the numbers and the plots go to a folder, curve by curve, so that
curves can be measured one at a time.

    python -m benchmarks.cost_curves [CURVE ...] [--out docs/costs] [--size nano] [--points 1 2 4]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import cost_measures as costs
from benchmarks.cost_measures import Cost
from benchmarks.cost_plots import Line, Panel, plot
from earthgptx.provenance import git_commit

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = "curves.json"
TOLERANCE = 0.15  # of an exponent: repeated measurements of one curve differ by about half of it
LEAST_MEGABYTES = 20.0  # growth below it is the allocator's, and has no exponent
SIDES = (224, 448, 672, 896, 1120, 1344)
MARKS = (1, 2, 4, 8, 16, 32, 64)
LENGTHS = (16, 32, 64, 128, 256, 512)
SAMPLES = (1_000, 3_000, 10_000, 30_000, 100_000)
IMAGES = (1_000, 3_000, 10_000, 30_000, 60_000)  # a file cannot have many more names


def linear(size: int) -> float:
    """Twice as many cost twice as much."""
    return size


def constant(size: int) -> float:
    """However many there are."""
    return 1.0


@dataclass(frozen=True)
class Curve:
    """One thing that grows.

    Attributes:
        figure: the plot that it is drawn in.
        name: in the plot.
        axis: what its sizes are.
        sizes: rising.
        measure: gives a cost a size.
        seconds, megabytes: units of work and of memory of a size, by arithmetic, to a factor.
    """

    figure: str
    name: str
    axis: str
    sizes: tuple[int, ...]
    measure: Callable[[Path, str, Sequence[int]], Iterator[Cost]]
    seconds: Callable[[int], float]
    megabytes: Callable[[int], float]


IMAGE, COUNT, TOKENS, CORPUS = "side of the image, px", "marks", "tokens of the answer", "samples"
CURVES = {
    "views": Curve("image", "views grow", IMAGE, SIDES, costs.views_that_grow, costs.num_views, costs.num_views),
    "nano_views": Curve(
        "image",
        "nano's five views",
        IMAGE,
        SIDES,
        costs.views_that_stay,
        costs.num_views_that_stay,
        costs.num_views_that_stay,
    ),
    "marks": Curve("marks", "first asked about", COUNT, MARKS, costs.marks_first_seen, linear, linear),
    "marks_again": Curve("marks", "asked about again", COUNT, MARKS, costs.marks_seen_before, linear, linear),
    "answer": Curve("answer", "greedy answer", TOKENS, LENGTHS, costs.answers, linear, linear),
    "build": Curve("corpus", "data build", CORPUS, SAMPLES, costs.corpora_built, linear, constant),
    "read": Curve("corpus", "one pass of the loader", CORPUS, SAMPLES, costs.corpora_read, linear, constant),
    "start": Curve("corpus", "start of training", CORPUS, IMAGES, costs.training_starts, linear, linear),
}
TITLES = {
    "image": "Look at an image and read it",
    "marks": "A question about marks, to the answer's first word",
    "answer": "An answer about three marks",
    "corpus": "A corpus: built, read, and loaded by a run",
}


def main() -> None:
    """Measures what is asked for, draws all that is known, and fails where anything grows too fast."""
    arguments = parse_arguments()
    if arguments.child:
        for cost in measured(arguments.curves[0], arguments.size, arguments.points):
            print(json.dumps(asdict(cost)), flush=True)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / NUMBERS
    known: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for name in arguments.curves:
        known[name] = in_a_process(name, arguments)
        path.write_text(json.dumps(known, indent=1) + "\n")
    draw(known, arguments.out)
    if not show(known, arguments.curves):
        raise SystemExit("A curve grows faster than its arithmetic says.")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="*", choices=[[], *CURVES], metavar="CURVE", help=", ".join(CURVES))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "costs")
    parser.add_argument("--size", choices=("nano", "tiny"), default="nano", help="of the model")
    parser.add_argument("--points", type=int, nargs="+", default=[], help="other sizes than a curve's own, rising")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.curves = arguments.curves or list(CURVES)
    return arguments


def measured(name: str, model: str, points: Sequence[int]) -> Iterator[Cost]:
    """The costs of one curve, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        yield from CURVES[name].measure(Path(folder), model, points or CURVES[name].sizes)


def in_a_process(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One curve and how it was measured."""
    command = [sys.executable, "-m", "benchmarks.cost_curves", name, "--child", "--size", arguments.size]
    command += ["--points", *map(str, arguments.points)] if arguments.points else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    rows = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as child:
        assert child.stdout is not None
        for line in child.stdout:
            rows.append(json.loads(line))
            print(f"{name}: {rows[-1]['size']:,} in {rows[-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
    if child.returncode != 0:
        raise SystemExit(f"{name} ended with exit code {child.returncode}.")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    return {"costs": rows, "model": arguments.size, "machine": machine, "commit": git_commit(ROOT)}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Slope of the straight line through the logarithms, over the upper half: what does not grow weighs least there."""
    first = len(sizes) // 2 if len(sizes) > 3 else 0
    xs = [math.log(size) for size in sizes[first:]]
    ys = [math.log(max(value, 1e-9)) for value in values[first:]]
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0


@dataclass(frozen=True)
class Growth:
    """How fast one curve grows.

    Attributes:
        what: "seconds" or "megabytes".
        expected, measured: exponents; measured is None where there is too little to have one.
    """

    what: str
    expected: float
    measured: float | None

    @property
    def is_no_worse(self) -> bool:
        """Whether it grows as its arithmetic says, or more slowly."""
        return self.measured is None or self.measured <= self.expected + TOLERANCE


def growths(curve: Curve, costs_of_it: Sequence[dict[str, float]]) -> list[Growth]:
    """Of its time and of its memory."""
    found = []
    for what, units in (("seconds", curve.seconds), ("megabytes", curve.megabytes)):
        sizes, values = [row["size"] for row in costs_of_it], [row[what] for row in costs_of_it]
        is_little = what == "megabytes" and max(values) < LEAST_MEGABYTES
        expected = exponent(sizes, [units(int(size)) for size in sizes])
        found.append(Growth(what, expected, None if is_little else exponent(sizes, values)))
    return found


def show(known: dict[str, Any], names: Sequence[str]) -> bool:
    """The table and the JSON line; whether nothing grows too fast."""
    print(
        f"{'curve':<14}{'sizes':>18}{'':>3}{'what':<11}{'smallest':>10}{'largest':>10}{'expected':>10}{'measured':>10}"
    )
    result: dict[str, Any] = {}
    for name in names:
        rows = known[name]["costs"]
        for growth in growths(CURVES[name], rows):
            values = [row[growth.what] for row in rows]
            sizes = f"{rows[0]['size']:,} to {rows[-1]['size']:,}"
            slope = "-" if growth.measured is None else f"{growth.measured:.2f}"
            ends = f"{values[0]:>10.2f}{values[-1]:>10.2f}{growth.expected:>10.2f}{slope:>10}"
            print(f"{name:<14}{sizes:>18}   {growth.what:<11}{ends}{'' if growth.is_no_worse else '  too fast'}")
            result.setdefault(name, {})[growth.what] = {**asdict(growth), "is_no_worse": growth.is_no_worse}
    print(json.dumps(result))
    return all(growth["is_no_worse"] for one in result.values() for growth in one.values())


def draw(known: dict[str, Any], folder: Path) -> None:
    """One plot a figure, of all curves that were measured."""
    for figure, title in TITLES.items():
        curves = [(CURVES[name], known[name]["costs"]) for name in CURVES if name in known]
        own = [(curve, rows) for curve, rows in curves if curve.figure == figure]
        if not own:
            continue
        panels = []
        for what, label in (("seconds", "seconds"), ("megabytes", "megabytes more")):
            lines = []
            for curve, rows in own:
                units = curve.seconds if what == "seconds" else curve.megabytes
                kept = [row for row in rows if row[what] > 0]
                points = [(row["size"], row[what]) for row in kept]
                if not points:
                    continue
                scale = points[-1][1] / units(int(points[-1][0]))
                lines.append(Line(curve.name, points, [(size, scale * units(int(size))) for size, _ in points]))
            panels.append(Panel(label, own[0][0].axis, lines))
        (folder / f"{figure}.svg").write_text(plot(title, panels))


if __name__ == "__main__":
    main()
