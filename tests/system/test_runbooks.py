"""Every command of every runbook, run as it stands there, on an installation with a life behind it.

A page's commands are the lines of its fences:

    ```sh                  run in order, while both kinds of worker are at work
    ```sh stopped          run while no worker is
    ```text                shown only

A line is one `tillstream …`; it may use `$STORE`, `$ORDER`, `$SALE`, `$SKU`, `$PRODUCT`, `$OUTLET`,
`$CUSTOMER`, `$DEAD_LETTER`, `$FOLDER` (an empty one) and what earlier lines have left in it, and it may end
in `# exit 3`: the exit code that is due, where that is not 0.
"""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.local.stack import Stack
from tests.system.forked import Forked
from tests.system.installation import SHORT_SESSION, Installation
from tests.system.payloads import count
from tests.system.process import ROOT
from tests.system.whole_life import STEPS, STORE
from topics.dead_letters import DeadLetter
from topics.ids import OrderId, StoreId, sale_id

RUNBOOKS = ROOT / "deploy" / "runbooks"
PAGES = sorted(path.name for path in RUNBOOKS.glob("*.md"))
WORKERS = ("stock", "history")

_FENCE = re.compile(r"```(\S*)(.*)")
_VARIABLE = re.compile(r"\$([A-Z_]+)")
_EXIT = re.compile(r"\s+#\s*exit (\d+)\s*$")


class Command(NamedTuple):
    """A line of a page. `stopped`: it is for when no worker runs."""

    line: str
    stopped: bool
    code: int


def commands(page: str) -> Iterator[Command]:
    """Yield the commands of a page, in order."""
    kind: tuple[str, str] | None = None
    for number, line in enumerate(page.splitlines(), 1):
        if fence := _FENCE.fullmatch(line.strip()):
            assert kind is None or not fence[1], f"line {number}: a fence is not closed before the next"
            kind = (fence[1], fence[2].strip()) if kind is None else None
            assert kind is None or kind[0] in ("sh", "text"), f"line {number}: a fence is `sh` or `text`"
            assert kind is None or kind[1] in ("", "stopped"), f"line {number}: {kind[1]!r} means nothing"
            continue
        if kind is None or kind[0] != "sh" or not line.strip() or line.strip().startswith("#"):
            continue
        due = _EXIT.search(line)
        yield Command(_EXIT.sub("", line).strip(), kind[1] == "stopped", int(due[1]) if due else 0)
    assert kind is None, "the last fence is not closed"


class Site:
    """The installation that pages are tried on; workers run or are stopped as a page needs."""

    def __init__(self, shop: Installation, folder: Path, forked: Forked) -> None:
        self._shop = shop
        self._forked = forked
        self._folder = folder
        self._workers = [shop.start(kind, **SHORT_SESSION) for kind in WORKERS]
        self._letter = ""

    async def live(self) -> None:
        """Lead orders through to their end; one record among them is not to be read."""
        for topic, payloads in STEPS:
            await self._shop.publish(topic, STORE, *payloads)
            await self._shop.decided()
        await self._shop.publish("ecom.orders", STORE, b'{"id": "TORN", "items": [')
        await self._shop.publish("pos.inventory", STORE, count("SHIRT", "o1", 12, version=9))
        await self._shop.settled()
        (letter,) = self._shop.journal.of(DeadLetter, STORE)
        self._letter = letter.dead_letter_id

    def variables(self, page: str) -> dict[str, str]:
        folder = self._folder / page
        folder.mkdir(exist_ok=True)
        return {
            "STORE": STORE,
            "ORDER": "POSTED",
            "SALE": sale_id(StoreId(STORE), OrderId("POSTED")),
            "SKU": "SHIRT",
            "PRODUCT": "p-shirt",
            "OUTLET": "o1",
            "CUSTOMER": "walk-in",
            "DEAD_LETTER": self._letter,
            "FOLDER": str(folder),
        }

    async def run(self, page: str, wanted: list[Command]) -> None:
        """Run commands in order; AssertionError with its words where one ends with another code."""
        variables = self.variables(page)
        for stopped, lines in groupby(wanted, key=lambda one: one.stopped):
            if stopped:
                await asyncio.gather(*(worker.stop() for worker in self._workers))
            try:
                for command in lines:
                    await asyncio.to_thread(self._run, command, variables)
            finally:
                if stopped:
                    await self._start_again()

    async def _start_again(self) -> None:
        before = [len(worker.assignments) for worker in self._workers]
        for worker in self._workers:
            worker.start()
        await self._shop.until(
            "the workers work again",
            lambda: all(
                len(worker.assignments) > number for worker, number in zip(self._workers, before, strict=True)
            ),
        )

    def _run(self, command: Command, variables: Mapping[str, str]) -> None:
        unknown = set(_VARIABLE.findall(command.line)) - variables.keys()
        assert not unknown, f"{command.line}: there is no {', '.join(sorted(unknown))}"
        program, *words = shlex.split(_VARIABLE.sub(lambda name: variables[name[1]], command.line))
        assert program == "tillstream", f"{command.line}: only `tillstream …` stands in a fence of commands"
        ran = self._forked.run(words, self._shop._environment | SHORT_SESSION)
        assert ran.code == command.code, (
            f"`{command.line}` ends with {ran.code}, the page says {command.code}\n{ran.out}{ran.err}"
        )


@pytest.fixture(scope="module")
async def site(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("runbooks")) as shop:
        with Forked() as forked:
            site = Site(shop, tmp_path_factory.mktemp("pages"), forked)
            await site.live()
            yield site


@pytest.mark.parametrize("page", PAGES)
async def test_the_commands_of_a_runbook_do_what_it_says(site: Site, page: str) -> None:
    found = list(commands((RUNBOOKS / page).read_text(encoding="utf-8")))
    assert found, f"{page} has no command to run"
    await site.run(page, found)


def test_a_page_s_commands_are_the_lines_of_its_fences() -> None:
    page = """
# A page
```sh
tillstream status

# a remark
tillstream doctor --json   # exit 3
```
```text
kubectl get pods
```
```sh stopped
tillstream tables verify
```
"""
    assert list(commands(page)) == [
        Command("tillstream status", False, 0),
        Command("tillstream doctor --json", False, 3),
        Command("tillstream tables verify", True, 0),
    ]
