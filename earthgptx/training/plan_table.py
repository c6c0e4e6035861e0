"""A plan as a page of text: what takes how much of a GPU, whether it fits, and what to change if not."""

from __future__ import annotations

from dataclasses import replace

from earthgptx.training.plan import NUM_MARKS, NUM_MASKS, SCENE_SIDE, TEXT_TOKENS, Plan

GIB = 2**30
SPARE = 0.1  # of a GPU: CUDA's context, NCCL's buffers, gaps between blocks; an allowance, not a measurement


def page(plan: Plan, memory: float) -> str:
    """The whole page.

    Args:
        plan: of a recipe.
        memory: of one GPU, in GiB.
    """
    recipe = plan.recipe
    cached = f"cached in {recipe.features}" if recipe.features else "asked in every step"
    head = [
        f"{recipe.name}: size {recipe.size}, policy {recipe.policy}, {plan.num_gpus} GPUs of {memory:g} GiB, "
        f"batch {recipe.batch_size}",
        f"Planned for samples of {SCENE_SIDE} x {SCENE_SIDE} px, {NUM_MARKS} marks, {NUM_MASKS} masks and "
        f"{TEXT_TOKENS} tokens of text; frozen parts {cached}.",
    ]
    return "\n".join([*head, "", *_boxes(plan), "", *_steps(plan), "", *verdict(plan, memory)])


def fits(plan: Plan, memory: float, recompute: bool) -> bool:
    """Whether the fullest moment leaves the spare share of a GPU free."""
    return plan.peak(recompute) <= (1 - SPARE) * memory * GIB


def verdict(plan: Plan, memory: float) -> list[str]:
    """Whether the recipe fits as it is, and if not, what makes it fit."""
    recompute = plan.recipe.recompute
    peak, usable = plan.peak(recompute) / GIB, (1 - SPARE) * memory
    setting = f"recompute={str(recompute).lower()}"
    if fits(plan, memory, recompute):
        return [f"It fits: {peak:.1f} of {usable:.1f} GiB with {setting}; {SPARE:.0%} of the GPU is left for CUDA."]
    lines = [f"It does not fit: {peak:.1f} of {usable:.1f} GiB with {setting}; {SPARE:.0%} of the GPU is for CUDA."]
    if not recompute and fits(plan, memory, True):
        return [*lines, f"Change: --set recompute=true ({plan.peak(True) / GIB:.1f} GiB)."]
    smaller = _smaller_batches(plan, usable)
    if smaller is not None:
        changes = " ".join(f"--set {name}={value}" for name, value in smaller.items())
        return [*lines, f"Change: {changes} --set recompute=true (about, in proportion to the samples)."]
    if plan.num_gpus > 1 or plan.recipe.batch_size > 1:
        lines.append("One sample a GPU is too much even with recompute=true:")
    else:
        lines.append("One sample is too much even with recompute=true:")
    layers = sum(box.parameters + box.gradients + box.optimizer for box in plan.boxes if box.box == "language")
    return [
        *lines,
        f"change to more GPUs, over which {layers / GIB:.1f} GiB of the language box are spread, or to larger ones.",
    ]


def _smaller_batches(plan: Plan, usable: float) -> dict[str, int] | None:
    """The largest batches that fit with recomputed activations; None where not even one sample a GPU does."""
    changes = {}
    for step in plan.recomputed:
        name = "warm_batch_size" if step.is_marks_only else "batch_size"
        fixed = plan.peak_of(replace(step, batch=0, activations=0))
        each = (step.batch + step.activations) / step.num_samples
        samples = int((usable * GIB - fixed) / each)
        if samples < 1:
            return None
        if samples < step.num_samples:
            changes[name] = samples * plan.num_gpus
    return changes


def _boxes(plan: Plan) -> list[str]:
    """What lies on each GPU all the time."""
    lines = [f"{'':10}{'frozen':>10}{'trained':>10}{'weights':>12}{'gradients':>12}{'optimizer':>12}"]
    lines.append(f"{'':10}{'million':>10}{'million':>10}{'GiB a GPU':>12}{'GiB a GPU':>12}{'GiB a GPU':>12}")
    for box in plan.boxes:
        bytes_of = (box.parameters, box.gradients, box.optimizer)
        counts = (box.num_frozen / 1e6, box.num_trained / 1e6)
        lines.append(
            f"{box.box:10}" + "".join(f"{n:10,.1f}" for n in counts) + "".join(f"{b / GIB:12.2f}" for b in bytes_of)
        )
    return lines


def _steps(plan: Plan) -> list[str]:
    """What a step needs beside that, with activations kept and recomputed."""
    columns = [(step, "kept") for step in plan.kept] + [(step, "recomputed") for step in plan.recomputed]
    rows: list[tuple[str, list[str]]] = [
        ("a step of", ["marks alone" if step.is_marks_only else "everything" for step, _ in columns]),
        ("activations of layers", [how for _, how in columns]),
        ("samples x tokens a GPU", [f"{step.num_samples} x {step.num_tokens:,}" for step, _ in columns]),
        ("weights, optimizer", [_gib(plan.standing) for _ in columns]),
        ("batch, features or views", [_gib(step.batch) for step, _ in columns]),
        ("layers gathered whole", [_gib(0 if step.is_marks_only else plan.gathered) for step, _ in columns]),
        ("activations at the peak", [_gib(step.activations) for step, _ in columns]),
        ("gradients at the peak", [_gib(step.gradients) for step, _ in columns]),
        ("GiB a GPU at the peak", [_gib(plan.peak_of(step)) for step, _ in columns]),
    ]
    return [f"{name:26}" + "".join(f"{value:>14}" for value in values) for name, values in rows]


def _gib(size: int) -> str:
    return f"{size / GIB:.2f}"
