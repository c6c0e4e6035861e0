"""What the README tells a stranger to type exists: make targets, commands with their options, files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)


def shell_lines() -> list[list[str]]:
    """Words of every command in the README's shell blocks, continued lines joined."""
    text = "\n".join(body for language, body in BLOCKS if language in ("bash", "sh", "console"))
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def python_blocks() -> list[str]:
    """The README's Python examples."""
    return [body for language, body in BLOCKS if language == "python"]


@pytest.mark.parametrize("words", [w for w in shell_lines() if w[0] == "make"], ids=" ".join)
def test_make_targets_exist(words: list[str]):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {word for word in words[1:] if "=" not in word} <= set(targets)


@pytest.mark.parametrize("words", [w for w in shell_lines() if w[0] == "earthgptx"], ids=" ".join)
def test_commands_and_options_exist(words: list[str]):
    from earthgptx.cli import app

    command = typer.main.get_command(app)
    rest = words[1:]
    while hasattr(command, "commands"):
        assert rest, f"{' '.join(words)} names a group, not a command"
        assert rest[0] in command.commands, f"no command {rest[0]!r}; there are {sorted(command.commands)}"
        command, rest = command.commands[rest[0]], rest[1:]
    if command.name == "evaluate":  # its options are those of the function it hands its words to
        from earthgptx.evaluation.command import evaluate

        inner = typer.Typer()
        inner.command()(evaluate)
        command = typer.main.get_command(inner)
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.split("=")[0] for word in rest if word.startswith("--")} <= options | {"--help"}


@pytest.mark.parametrize("code", python_blocks())
def test_python_examples_name_real_things(code: str):
    import earthgptx

    compile(code, "README.md", "exec")
    for name in re.findall(r"\begx\.(\w+)", code):
        assert hasattr(earthgptx, name), f"earthgptx has no {name}"


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name)
def test_linked_files_exist(page: Path):
    targets = set(re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")))
    assert {target for target in targets if not (page.parent / target).exists()} == set()


def test_tree_names_real_folders():
    tree = next(body for _, body in BLOCKS if body.startswith("earthgptx/"))
    for line in tree.splitlines()[1:]:
        if entry := re.match(r"^  ([a-z_]+(?:/|\.py))", line):
            assert (ROOT / "earthgptx" / entry.group(1)).exists(), f"the tree names {entry.group(1)}"
