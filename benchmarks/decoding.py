"""Tokens a second of nano's language model, beside llama.cpp on the same published weights, in one run.

Each side is a process of its own with two threads: it reads a prompt of as many tokens, writes as many more one after
the other, and the writing alone is timed. The sides take turns, so that whatever else the machine does meets all of
them. llama.cpp reads the Q4_1 file in which SmolLM2 is published; ours reads what nano was trained to from it. Eight
prompts at once, as the evaluation and the server have them, stand beside one. A table comes first, then a JSON line.

    pip install llama-cpp-python
    python benchmarks/decoding.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median

TARGET = 0.8  # of llama.cpp's tokens a second
SIDES = {
    "llama": "llama.cpp, Q4_1",
    "ours": "ours",
    "transformers": "transformers, bf16",
    "ours-8": "ours, 8 at once",
    "transformers-8": "transformers, 8 at once",
}
PROMPT_TOKENS, NEW_TOKENS = 64, 64  # nano's prompts with an image have 40 to 100


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gguf", type=Path, help="llama.cpp's file")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is reported")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measure(arguments.side, arguments.gguf, arguments.threads)))
        return
    sides = list(SIDES)
    if find_spec("llama_cpp") is None or arguments.gguf is None:
        print("llama.cpp is left out: it needs llama-cpp-python (pip install llama-cpp-python) and --gguf FILE.")
        sides.remove("llama")
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(arguments.rounds):
        for side in sides:
            runs[side].append(child(side, arguments))
    speed = {side: median(run["tokens_per_second"] for run in runs[side]) for side in sides}
    memory = {side: max(run["peak_memory_gb"] for run in runs[side]) for side in sides}
    reference = speed.get("llama", speed["transformers"])
    print(f"{'side':<24}{'tokens/s':>10}{'ratio':>8}{'peak GB':>10}")
    for side in sides:
        print(f"{SIDES[side]:<24}{speed[side]:>10.1f}{speed[side] / reference:>8.2f}{memory[side]:>10.2f}")
    if "llama" in sides:
        print(f"Target: ours at least {TARGET} of llama.cpp.")
    print(json.dumps({"tokens_per_second": speed, "peak_memory_gb": memory, "threads": arguments.threads}))


def child(side: str, arguments: argparse.Namespace) -> dict[str, float]:
    """One side once, in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--threads", str(arguments.threads)]
    command += ["--gguf", str(arguments.gguf)] if arguments.gguf else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(side: str, gguf: Path | None, threads: int) -> dict[str, float]:
    """Tokens a second and the process's peak memory."""
    import resource

    seconds = time_llama(str(gguf), threads) if side == "llama" else time_ours(side, threads)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"tokens_per_second": rows_of(side) * NEW_TOKENS / seconds, "peak_memory_gb": peak / 1e9}


def rows_of(side: str) -> int:
    """How many prompts a side answers at once."""
    return 8 if side.endswith("-8") else 1


def time_llama(gguf: str, threads: int) -> float:
    """Seconds that llama.cpp needs for the new tokens."""
    import time

    from llama_cpp import Llama

    llama = Llama(gguf, n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False)
    llama.eval(list(range(100, 100 + PROMPT_TOKENS)))
    started = time.perf_counter()
    for _ in range(NEW_TOKENS):
        llama.eval([llama.sample(temp=0.0)])
    return time.perf_counter() - started


def time_ours(side: str, threads: int) -> float:
    """Seconds that our steps, or those of transformers, need for the new tokens."""
    import time

    import torch
    from transformers import DynamicCache

    import earthgptx as egx
    from earthgptx.inference.packed_weights import MAX_ROWS_IN_FEWER_BITS, PackedLanguage, can_be_packed
    from earthgptx.inference.token_steps import TokenSteps

    torch.set_num_threads(threads)
    language = egx.load("nano").generator.model.language
    with torch.inference_mode():
        num_rows = rows_of(side)
        embeddings = language.embed(torch.arange(100, 100 + PROMPT_TOKENS).expand(num_rows, -1))
        present = torch.ones(num_rows, PROMPT_TOKENS, dtype=torch.bool)
        if side.startswith("transformers"):
            cache = DynamicCache()
            hidden = language(embeddings, present, cache)[:, -1]
            started = time.perf_counter()
            for _ in range(NEW_TOKENS):
                ids = language.logits(hidden).argmax(dim=-1)
                present = torch.cat([present, present[:, :1]], dim=1)
                hidden = language(language.embed(ids[:, None]), present, cache)[:, -1]
            return time.perf_counter() - started
        few_rows = num_rows <= MAX_ROWS_IN_FEWER_BITS
        packed = PackedLanguage(language, few_rows=few_rows) if can_be_packed(language, few_rows=few_rows) else None
        steps = TokenSteps(
            language,
            embeddings,
            present,
            room=NEW_TOKENS,
            products=packed and packed.products,
            logits=packed and packed.logits,
        )
        started = time.perf_counter()
        for _ in range(NEW_TOKENS):
            steps.read(steps.logits().argmax(dim=-1))
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
