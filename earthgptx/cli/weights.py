"""`earthgptx weights ...`: the pretrained parts of nano, and models of the paper's size made of published parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from earthgptx.cli.speaking import complain, refuse

app = typer.Typer()

_Cache = Annotated[
    Path | None, typer.Option(help="Where to keep them; $EARTHGPTX_CACHE or ~/.cache/earthgptx if not given.")
]


@app.callback(invoke_without_command=True)
def weights(context: typer.Context, cache: _Cache = None) -> None:
    """Fetch nano's pretrained parts, or assemble a larger model from published ones.

    Example: earthgptx weights nano
    """
    if context.invoked_subcommand is None:
        nano(cache)


@app.command()
def nano(cache: _Cache = None) -> None:
    """Fetch, verify and convert nano's pretrained parts, once; later runs find them in the cache.

    Example: earthgptx weights nano
    """
    from earthgptx.model.weights.nano import prepare_nano

    parts = prepare_nano(cache)
    for sentence in parts.sources:
        complain(sentence)
    typer.echo(f"nano's pretrained parts are ready in {parts.folder}.")


@app.command()
def assemble(
    size: Annotated[str, typer.Argument(help="paper, paper-rn50x16 or 7b.")],
    llama: Annotated[str, typer.Option(help="Llama-2: a folder of transformers', or of Meta's consolidated.*.pth.")],
    dinov2: Annotated[str, typer.Option(help="DINOv2 ViT-L/14: a folder, or dinov2_vitl14_pretrain.pth.")],
    sam: Annotated[str, typer.Option(help="SAM ViT-H: a folder, or sam_vit_h_4b8939.pth.")],
    out: Annotated[Path, typer.Option(help="Folder of the model that is made.")],
    convnext: Annotated[
        str | None, typer.Option(help="For paper and 7b, CLIP-ConvNeXt-L: a file or folder of open_clip or timm.")
    ] = None,
    rn50x16: Annotated[
        str | None, typer.Option(help="For paper-rn50x16, CLIP RN50x16: a file or folder of open_clip or timm.")
    ] = None,
) -> None:
    """Make a model's folder out of published parts, one tensor at a time; what none of them holds starts random.

    A part is a path here, or a repository of a model hub, which is fetched.

    Example: earthgptx weights assemble paper --llama meta-llama/Llama-2-13b-hf --dinov2 dinov2-large
    --convnext open_clip_pytorch_model.bin --sam facebook/sam-vit-huge --out models/paper
    """
    from rich.progress import Progress

    from earthgptx.errors import UnknownModel
    from earthgptx.model.sizes import PUBLISHED, SIZES
    from earthgptx.model.weights.foreign.assembling import Places, assemble_foreign
    from earthgptx.model.weights.foreign.hub import place_of

    if size not in SIZES:
        raise UnknownModel(f"There is no size {size!r}; sizes that are assembled are {', '.join(PUBLISHED)}.")
    config = SIZES[size]()
    given = {"--convnext": convnext, "--rn50x16": rn50x16}
    wanted = "--rn50x16" if config.vision.cnn_kind == "clip_resnet" else "--convnext"
    cnn = given.pop(wanted)
    if cnn is None or any(given.values()):
        refuse(f"{size} has one convolutional tower, which {wanted} names; {' and '.join(given)} is another size's.")
    places = Places(*map(place_of, (llama, dinov2, cnn, sam)))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        written = progress.add_task("bytes written", total=None)
        assemble_foreign(
            config,
            places,
            out,
            on_bytes=lambda done, total: progress.update(written, completed=done, total=total),
        )
    typer.echo(f"The model is in {out}; its new parts are random until it is trained.")
