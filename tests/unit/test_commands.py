"""Every command as an operator meets it: its options, its help, and what the pages say of it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from streams.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]
ROOT_COMMAND: Any = typer.main.get_command(app)

SPEAK_OTHERWISE = {"tillstream worker", "tillstream test", "tillstream db roles"}
"""Logs, what the tools print, and SQL: there is nothing to put into JSON."""

_INLINE = re.compile(r"`(tillstream [^`]+)`")
_BLOCK = re.compile(r"^(?:    |\s*)(?:\./)?(tillstream .+)$", re.MULTILINE)
_REMARK = re.compile(r"\s{2,}.*|\s+#\s.*|\s+\|\s.*")


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its whole name."""
    if isinstance(command, TyperGroup):
        for part, sub in command.commands.items():
            yield from commands(sub, f"{name} {part}")
    else:
        yield name, command


COMMANDS = dict(commands(ROOT_COMMAND, "tillstream"))


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def shown(text: str) -> Iterator[str]:
    """Yield the commands that stand in blocks of a text, without the remarks behind them."""
    return clean(_BLOCK.findall(text))


def mentioned(text: str) -> Iterator[str]:
    """Yield the commands within sentences; they need not be whole."""
    return clean(_INLINE.findall(text.replace("\n", " ")))


def clean(found: list[str]) -> Iterator[str]:
    for one in found:
        line = _REMARK.sub("", one).strip()
        if not re.search(r"[…|]|--help\b", line):
            yield line


def parse(line: str) -> None:
    """Raise a usage error when a command or an option of the line is not there, is missing, or not right."""
    name, *words = shlex.split(line)
    command, context = ROOT_COMMAND, None
    while isinstance(command, TyperGroup):
        context = command.make_context(name, words, parent=context)
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
    command.make_context(name, words, parent=context)


def is_there(line: str) -> bool:
    """Whether there are the command and the options of the line."""
    _, *words = shlex.split(line)
    command = ROOT_COMMAND
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        command = command.commands.get(words.pop(0))
    return command is not None and {
        word.partition("=")[0] for word in words if word.startswith("--")
    } <= options(command) | {"--help"}


@pytest.mark.parametrize("name", COMMANDS.keys() - SPEAK_OTHERWISE)
def test_every_command_can_print_json(name: str) -> None:
    assert "--json" in options(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(name: str) -> None:
    assert name in (COMMANDS[name].epilog or "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_its_exit_codes(name: str) -> None:
    command = COMMANDS[name]
    assert re.search(r"[Ee]xit codes?\b", f"{command.epilog} {command.help}")


@pytest.mark.parametrize(
    "name", [name for name, command in COMMANDS.items() if "--apply" in options(command)]
)
def test_what_changes_something_is_done_with_a_reason_and_a_name(name: str) -> None:
    assert options(COMMANDS[name]) >= {"--why", "--who"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_are_understood(name: str) -> None:
    text = COMMANDS[name].epilog or ""
    for line in (*shown(text), *mentioned(text)):
        parse(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_on_a_page_are_understood(page: Path) -> None:
    text = page.read_text()
    for line in shown(text):
        parse(line)
    assert [line for line in mentioned(text) if not is_there(line)] == []
