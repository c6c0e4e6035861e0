"""What every verb does with its results and with what a user gets wrong: one sentence, an exit code.

Stdout holds results only; sentences go to stderr. This is the only way in which the package speaks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from earthgptx.errors import EarthGPTXError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


class Verbs(TyperGroup):
    """The verbs, with bad input and Ctrl-C turned into one sentence and an exit code."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Reads the options before the verb."""
        with in_one_sentence():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Runs the verb that was asked for."""
        with in_one_sentence():
            return super().invoke(ctx)


@contextmanager
def in_one_sentence() -> Iterator[None]:
    """Turns what a user can get wrong into one line on stderr and an exit code."""
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]  # typer has no public name for it
    try:
        yield
    except EarthGPTXError as error:
        refuse(str(error))
    except typer.BadParameter as error:  # a value that is missing or of the wrong type
        refuse(error.format_message())
    except usage_error as error:  # an option or a verb that is not there
        if "\n" in str(error):  # no verb at all: typer's message is then the help
            raise
        refuse(str(error))
    except OSError as error:  # a file that cannot be read or written: the user's, since ours are in the package
        refuse(f"{error.filename or 'A file'}: {error.strerror or error}.")
    except KeyboardInterrupt:
        complain("Stopped: nothing that was already written is lost.")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def check_outputs(*, save: Path | None = None, geojson: Path | None = None) -> None:
    """Refuses before the work what could not be written after it."""
    if save is not None and save.suffix.lower() not in PICTURE_ENDINGS:
        refuse(f"No picture can be written to {save}: its name must end in one of {', '.join(PICTURE_ENDINGS)}.")
    for path in (save, geojson):
        if path is not None and not path.parent.is_dir():
            refuse(f"{path} cannot be written: there is no folder {path.parent}.")


def is_terminal() -> bool:
    """Whether a person reads stdout; a pipe or a file gets the words and no table."""
    return sys.stdout.isatty()


def complain(sentence: str) -> None:
    """One line on stderr; stdout holds results only."""
    typer.echo(" ".join(sentence.split()), err=True)


def refuse(sentence: str) -> NoReturn:
    """Ends with the exit code of bad input."""
    complain(sentence)
    raise typer.Exit(EXIT_BAD_INPUT)
