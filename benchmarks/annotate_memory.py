"""Peak memory and time of annotating, and of asking about, a scene of 30,000 x 30,000 pixels.

A tiled, compressed GeoTIFF with overviews is made (mostly empty, so that it is small on disk). One child process loads
the model and answers about a small scene; two others do the same and then work on the large one. One annotates it:
regions of every size with masks, and cells of a grid. One asks: about marks of every size all over it in map
coordinates, and about the whole, and writes JSON, GeoJSON and a picture. What their peak resident memories have above
the first one's is what the scene costs. A table comes first, then a JSON line.

    python benchmarks/annotate_memory.py [--side 30000] [--model tiny]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.windows import Window

TARGET_GB = 1.5
TILE = 512

# Runs in a process of its own, whose peak memory the kernel counts.
CHILD = """
import json, sys, time
from pathlib import Path
import numpy as np
model, work, scene, regions, out = json.loads(sys.argv[1])
if model == "tiny":
    from earthgptx.inference.assistant import Assistant
    from earthgptx.inference.generation import Generator
    from earthgptx.model.sizes import tiny
    from earthgptx.model.weights.assembly import assemble
    from earthgptx.processing.processor import processor_for
    from earthgptx.processing.vocabulary import Vocabulary, byte_tokenizer
    config = tiny()
    vocabulary = Vocabulary.of(byte_tokenizer(config.base_vocabulary_size))
    assistant = Assistant(Generator(assemble(config).model.float(), processor_for(config, vocabulary)))
else:
    from earthgptx.inference.loading import load
    assistant = load(model)
from earthgptx.data.imagery import Scene
from earthgptx.shapes import Box
small = Scene.from_array(np.zeros((600, 600, 3), np.uint8), sensor="optical")
assistant.look(small).ask("What is marked?", [Box(5, 5, 50, 50)], max_new_tokens=16)
started = time.perf_counter()
if work == "annotate":
    from earthgptx.geo.annotate import annotate
    from earthgptx.geo.asking import Wishes
    from earthgptx.geo.big_scene import BigScene
    from earthgptx.geo.feature_files import read_features
    from earthgptx.geo.grid import plan_grid
    from earthgptx.geo.placing import coordinates_of
    from earthgptx.geo.region_plan import plan_regions
    import earthgptx.geo.asking
    earthgptx.geo.asking._MAX_NEW_TOKENS = 16  # a random model never ends by itself
    big = BigScene.open(scene, sensor="optical")
    plans = {
        "regions": plan_regions(big, read_features(Path(regions)), Wishes(masks=True)),
        "grid": plan_grid(big, "Segment all ships.", side=big.width // 3, masks=True, tolerance=1.0),
    }
    for name, plan in plans.items():
        path = Path(out) / f"{name}.geojson"
        annotate(plan, load=lambda: assistant, out=path, target=coordinates_of(big, "wgs84"), settings={})
if work == "ask":
    from earthgptx.geo.big_scene import BigScene
    from earthgptx.geo.scene_asking import ask_scene
    from earthgptx.geo.scene_marks import read_marks
    big = BigScene.open(scene, sensor="optical")
    marks = read_marks(Path(regions), big)
    for question, given in (("Please segment each marked region.", marks), ("What is in the whole image?", ())):
        answer = ask_scene(assistant, big, question, given, max_new_tokens=16)
        json.dumps([answer.to_json(), answer.to_geojson()])
        answer.draw().save(Path(out) / "answer.png")
print(time.perf_counter() - started)
"""


def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "scene.tif"
        # In a process of its own: a child's peak is never counted below what its parent held when it was started.
        maker = multiprocessing.get_context("spawn").Process(target=write_scene, args=(scene, arguments.side))
        maker.start()
        maker.join()
        if maker.exitcode != 0:
            raise SystemExit(f"the scene could not be made: exit code {maker.exitcode}")
        regions = write_regions(Path(folder) / "regions.geojson", scene, arguments.side)
        alone, _ = peak_gb([arguments.model, None, None, None, None])
        result = {"model_alone_gb": round(alone, 3)}
        for work in ("annotate", "ask"):
            peak, seconds = peak_gb([arguments.model, work, str(scene), str(regions), folder])
            result |= {f"{work}_costs_gb": round(peak - alone, 3), f"{work}_seconds": round(seconds, 1)}
        size = scene.stat().st_size
    print(f"{'what':<20}{'measured':>10}{'target':>10}")
    for name, value in result.items():
        target = f"<= {TARGET_GB:g}" if name.endswith("costs_gb") else ""
        print(f"{name.replace('_', ' '):<20}{value:>10.2f}{target:>10}")
    about = {"side": arguments.side, "file_mb": round(size / 1e6, 1), "model": arguments.model, "machine": machine()}
    print(json.dumps({**result, **about}))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=30_000, help="pixels a side of the scene")
    parser.add_argument("--model", default="tiny", help="tiny (random weights), nano or a folder")
    return parser.parse_args()


def write_scene(path: Path, side: int) -> None:
    """A 16-bit scene in three bands: noise in every ninth tile or so, tiles that were never written elsewhere."""
    rng = np.random.default_rng(0)
    about = {"driver": "GTiff", "dtype": "uint16", "count": 3, "width": side, "height": side}
    layout = {"tiled": True, "blockxsize": TILE, "blockysize": TILE, "compress": "deflate", "sparse_ok": True}
    place = {"crs": "EPSG:32631", "transform": Affine(0.5, 0, 590_000, 0, -0.5, 5_750_000)}
    with rasterio.open(path, "w", BIGTIFF="YES", photometric="rgb", **about, **layout, **place) as dataset:
        for y in range(0, side - TILE, 3 * TILE):
            for x in range(0, side - TILE, 3 * TILE):
                tile = rng.integers(300, 3000, (3, TILE // 8, TILE // 8), dtype=np.uint16)
                dataset.write(tile.repeat(8, axis=1).repeat(8, axis=2), window=Window(x, y, TILE, TILE))
    with rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=str(TILE)), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4, 8, 16, 32], Resampling.nearest)


def write_regions(path: Path, scene: Path, side: int) -> Path:
    """Squares from 20 pixels to the whole scene, each over a tile that holds data."""
    features = []
    with rasterio.open(scene) as dataset:
        transform = dataset.transform
    for number, extent in enumerate((20, 60, 200, 500, 2000, 8000, side - 10)):
        x = min(3 * TILE * (2 * number + 1), side - extent - 1) if extent < side // 2 else 5
        corners = [(x, x), (x, x + extent), (x + extent, x + extent), (x + extent, x), (x, x)]
        ring = [list(transform * corner) for corner in corners]
        features.append({"type": "Feature", "id": number, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    crs = {"type": "name", "properties": {"name": "EPSG:32631"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return path


def peak_gb(arguments: list[str | None]) -> tuple[float, float]:
    """Peak resident memory of a child in GB, and the seconds of its work on the scene."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(arguments)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"the child ended with exit code {child.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB elsewhere
    return usage.ru_maxrss * unit / 1e9, float(printed.split()[-1])


def machine() -> str:
    """Processor, cores, system and Python; not the host's name."""
    cores = os.cpu_count()
    return f"{platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
