"""The command line: ask, annotate, train, evaluate, ablate, weights, data, serve.

Arguments become calls of the package and results become text; nothing is computed here. It is the one folder
that prints. Every import that costs time stands inside the verb that needs it, so that `--help` is instant.
"""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from earthgptx.cli import ablate, annotate, ask, data, evaluate_endpoint, models, serve, weights
from earthgptx.cli.speaking import Verbs

app = typer.Typer(
    cls=Verbs,
    help="Mark regions on optical, SAR or infrared imagery, ask in plain language, get words and masks back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(cls=ask.MarksInOrder)(ask.ask)
app.command()(annotate.annotate)
app.command()(models.train)
app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    # The options live in evaluation.command; mounting it here would load torch for every `--help`.
)(models.evaluate)
app.command("evaluate-endpoint")(evaluate_endpoint.evaluate_endpoint)
app.command()(ablate.ablate)
app.command()(serve.serve)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


@app.callback()
def start(
    verbose: Annotated[bool, typer.Option("--verbose", help="Say what is going on, on stderr.")] = False,
) -> None:
    """Mark regions on optical, SAR or infrared imagery, ask in plain language, get words and masks back."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s", force=True)


def main() -> None:
    """Runs the command line, as `earthgptx` and `python -m earthgptx` do."""
    app(prog_name="earthgptx")  # the name in messages, also when started as a module
