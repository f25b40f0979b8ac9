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
UsageError: Any = typer.BadParameter.__base__
ROOT_COMMAND: Any = typer.main.get_command(app)

SPEAK_OTHERWISE = ("tillstream test", "tillstream worker", "tillstream db roles")
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


def test_every_command_can_print_json() -> None:
    assert [name for name, one in COMMANDS.items() if "--json" not in options(one)] == [*SPEAK_OTHERWISE]


def test_every_command_shows_an_example_and_says_its_exit_codes() -> None:
    for name, command in COMMANDS.items():
        assert name in (command.epilog or "")
        assert re.search(r"[Ee]xit codes?\b", f"{command.epilog} {command.help}"), name


def test_what_changes_something_is_done_with_a_reason_and_a_name() -> None:
    changing = {name for name, command in COMMANDS.items() if "--apply" in options(command)}
    assert {name for name in changing if options(COMMANDS[name]) >= {"--why", "--who"}} == changing
    assert "tillstream replay swap" in changing


def test_the_examples_of_every_command_are_understood() -> None:
    for command in COMMANDS.values():
        for line in (*shown(command.epilog or ""), *mentioned(command.epilog or "")):
            parse(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_on_a_page_are_understood(page: Path) -> None:
    text = page.read_text()
    for line in shown(text):
        parse(line)
    assert [line for line in mentioned(text) if not is_there(line)] == []


@pytest.mark.parametrize(
    "line", ["tillstream nothing", "tillstream status --no-such", "tillstream link show"]
)
def test_a_command_that_is_not_right_is_noticed(line: str) -> None:
    (found,) = shown(f"Then:\n\n    {line}    as ever\n")
    with pytest.raises(UsageError):
        parse(found)
    assert [*mentioned(f"Run `{line}`.")] == [line]
    assert is_there(line) is (line == "tillstream link show")
