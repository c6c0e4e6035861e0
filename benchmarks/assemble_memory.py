"""Peak memory of `earthgptx weights assemble`, above that of a process that has assembled a small model before.

Synthetic parts are made in a temporary folder: a Llama in shards of about 300 MB in `transformers`' layout, and the
same cut in two as Meta does, with small towers. A child process a layout assembles a Llama of one narrow layer, notes
its peak resident memory, and assembles the large one. A table comes first, then a JSON line.

    python benchmarks/assemble_memory.py [--layers 6]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 1.2  # times the largest shard
LAYERS_A_SHARD = 3
WIDTH, ROWS, WORDS = 2048, 5504, 8000


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=6, help="of the large Llama; three are a shard")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        measure(*map(Path, arguments.child[:2]), num_layers=int(arguments.child[2]))
        return
    rows = []
    for layout in ("transformers", "meta"):
        with tempfile.TemporaryDirectory() as folder:
            # In a process of its own: a child's peak is never counted below what its parent held when it was started.
            maker = multiprocessing.get_context("spawn").Process(target=write, args=(folder, layout, arguments.layers))
            maker.start()
            maker.join()
            if maker.exitcode != 0:
                raise SystemExit(f"the parts could not be made: exit code {maker.exitcode}")
            files = (Path(folder) / "large" / "llama").iterdir()
            shards = [path.stat().st_size for path in files if path.suffix in (".safetensors", ".pth")]
            command = [sys.executable, __file__, "--child", f"{folder}/small", f"{folder}/large", str(arguments.layers)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        rows.append({"layout": layout, "largest_shard_mb": round(max(shards) / 1e6), "shards": len(shards), **found})
    print(f"{'layout':<14}{'largest shard':>14}{'peak above':>12}{'ratio':>7}{'target':>8}{'seconds':>9}")
    for row in rows:
        row["ratio"] = round(row["peak_mb"] / row["largest_shard_mb"], 2)
        print(
            f"{row['layout']:<14}{row['largest_shard_mb']:>11} MB{row['peak_mb']:>9} MB{row['ratio']:>7}"
            f"{f'<= {TARGET}':>8}{row['seconds']:>9}"
        )
    print(json.dumps({"rows": rows, "layers": arguments.layers, "machine": machine()}))


def measure(small: Path, large: Path, *, num_layers: int) -> None:
    """In the child: peak memory and seconds of the large assembly, after a small one."""
    from earthgptx.model.weights.foreign.assembling import Places, assemble_foreign

    def assemble(folder: Path, layers: int, width: int, rows: int) -> float:
        places = Places(*(folder / name for name in ("llama", "dinov2", "convnext", "sam")))
        assemble_foreign(configuration(layers, width, rows), places, folder / "model", shard_bytes=300_000_000)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    before = assemble(small, 1, 64, 128)
    started = time.perf_counter()
    after = assemble(large, num_layers, WIDTH, ROWS)
    seconds = round(time.perf_counter() - started, 1)
    print(json.dumps({"before_mb": round(before / 1e6), "peak_mb": round((after - before) / 1e6), "seconds": seconds}))


def configuration(layers: int, width: int, rows: int):  # noqa: ANN201  (its class is imported where it is needed)
    """The published size with small towers and a Llama of these sizes."""
    from earthgptx.model.configuration import FusionConfig, PixelsConfig, SpatialConfig
    from earthgptx.model.sizes import paper

    config = paper()
    config.vision.vit |= {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 42}
    config.vision.cnn |= {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}
    config.vision.cnn_channels = (16,)
    config.spatial = SpatialConfig(width=32, num_layers=1, num_heads=2)
    config.fusion = FusionConfig(width=64, num_heads=4, cell_width=16)
    sam = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_dim": 32, "image_size": 64}
    config.pixels = PixelsConfig(
        encoder="sam",
        sam_vision=sam | {"output_channels": 32, "window_size": 2, "global_attn_indexes": [0]},
        sam_decoder={"hidden_size": 32, "mlp_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2},
        width=32,
        mark_prompt=False,
    )
    config.language |= {"vocab_size": WORDS, "hidden_size": width, "intermediate_size": rows}
    config.language |= {"num_hidden_layers": layers, "num_attention_heads": 16, "num_key_value_heads": 16}
    return config


def write(folder: str, layout: str, layers: int) -> None:
    """Both sets of parts."""
    write_parts(Path(folder) / "small", layout, layers=1, width=64, rows=128)
    write_parts(Path(folder) / "large", layout, layers=layers, width=WIDTH, rows=ROWS)


def write_parts(folder: Path, layout: str, *, layers: int, width: int, rows: int) -> None:
    """Noise under the published names: towers in one file each, the Llama in shards, with a tokenizer."""
    import torch
    from safetensors.torch import save_file
    from transformers import LlamaTokenizerFast

    from earthgptx.model.earthgptx import EarthGPTX
    from earthgptx.model.weights.foreign import convnext, dinov2, llama, sam

    config = configuration(layers, width, rows)
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in EarthGPTX(config).state_dict().items()}
    towers = {
        "dinov2": (dinov2.PREFIX, dinov2.layouts(config.vision.vit)[1]),
        "convnext": (convnext.PREFIX, convnext.layouts(config.vision.cnn)[1]),
        "sam": (sam.PREFIX, sam.layouts(config.pixels.sam_vision, config.pixels.sam_decoder)[1]),
    }
    for name, (prefix, table) in towers.items():
        (folder / name).mkdir(parents=True)
        state = {row.theirs: torch.randn(shapes[prefix + row.ours]) for row in table.rows}
        if name == "sam":
            state["prompt_encoder.no_mask_embed.weight"] = state["prompt_encoder.no_mask_embed.weight"][None]
        save_file(state, str(folder / name / "model.safetensors"))
    place = folder / "llama"
    words = ["<unk>", "<s>", "</s>", *(f"word{number}" for number in range(WORDS - 3))]
    tokenizer = LlamaTokenizerFast(vocab={word: number for number, word in enumerate(words)}, merges=[])
    place.mkdir(parents=True)
    tokenizer.backend_tokenizer.save(str(place / "tokenizer.json"))
    if layout == "meta":
        write_meta(place, llama.meta_layout(config.language), shapes)
        return
    names = [row.theirs for row in llama.hf_layout(config.language).rows]
    homes = {}
    for number in range(0, layers, LAYERS_A_SHARD):
        mine = [name for name in names if layer_of(name) // LAYERS_A_SHARD == number // LAYERS_A_SHARD]
        file = f"model-{number:05}.safetensors"
        save_file({name: torch.randn(shapes[llama.PREFIX + name]).half() for name in mine}, str(place / file))
        homes |= dict.fromkeys(mine, file)
    (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))


def write_meta(place: Path, layout, shapes: dict[str, tuple[int, ...]], num_shards: int = 2) -> None:  # noqa: ANN001
    """The same in Meta's names, cut in two."""
    import torch

    columns = ("tok_embeddings", "wo", "w2")
    for number in range(num_shards):
        shard = {}
        for row in layout.rows:
            shape = list(shapes["language.llama." + row.ours])
            if len(shape) == 2:
                shape[row.theirs.split(".")[-2] in columns] //= num_shards
            shard[row.theirs] = torch.randn(shape).bfloat16()
        torch.save(shard, place / f"consolidated.{number:02}.pth")
    (place / "params.json").write_text(json.dumps({"n_heads": 16, "norm_eps": 1e-5}))


def layer_of(name: str) -> int:
    """The layer that a tensor of the Llama lies in; its ends go with the first."""
    words = name.split(".")
    return int(words[2]) if words[1] == "layers" else 0


def machine() -> str:
    """Processor, cores, system and Python; not the host's name."""
    cores = os.cpu_count()
    return f"{platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
