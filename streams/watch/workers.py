"""Workers as their own endpoints tell: asked on this machine, or where one says they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import aiohttp
import msgspec

from streams.settings import Settings

SLOTS = 8
"""So many slots of each kind are looked for on this machine."""
ANSWER_S = 2.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # to be replaced


class WorkerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself; `state` is `silent` when it was named and does not answer."""

    address: str
    kind: str = ""
    member: str = ""
    state: str = "silent"
    since: float = 0.0
    reason: str = ""
    trouble: str | None = None
    live: bool = False
    ready: bool = False
    app_id: str = ""
    pid: int = 0
    restored_rows: int = 0
    restore_s: float = 0.0
    lanes: list[dict[str, Any]] = []
    table_rows: dict[str, dict[str, int]] = {}
    tables: dict[str, int] = {}

    @property
    def partitions(self) -> list[int]:
        """The partition numbers that it owns."""
        return [lane["partition"] for lane in self.lanes]


_decode = msgspec.json.Decoder(dict[str, Any]).decode


async def look(settings: Settings, addresses: Iterable[str] = ()) -> list[WorkerSeen]:
    """Ask the workers of this installation that answer here, and those at `addresses` (host:port)."""
    named = list(addresses)
    here = [address for address in _here(settings) if address not in named]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_S)) as session:
        answers = await asyncio.gather(*(_ask(session, address) for address in [*named, *here]))
    ours = {settings.worker.app_id("stock"), settings.worker.app_id("history")}
    seen = [one for one in answers if one.app_id in ours or (one.address in named and not one.app_id)]
    return sorted(seen, key=lambda one: (one.kind, one.member, one.address))


def _here(settings: Settings) -> list[str]:
    worker = settings.worker
    host = _WILDCARDS.get(worker.http_host, worker.http_host)
    shown = f"[{host}]" if ":" in host else host
    ports = (worker.port(kind, slot) for slot in range(SLOTS) for kind in ("stock", "history"))
    return [f"{shown}:{port}" for port in ports if port is not None]


async def _ask(session: aiohttp.ClientSession, address: str) -> WorkerSeen:
    try:
        async with session.get(f"http://{address}/health") as answer:
            said = _decode(await answer.read())
            return msgspec.convert({**said, "address": address}, WorkerSeen)
    except (aiohttp.ClientError, OSError, msgspec.MsgspecError):
        return WorkerSeen(address=address)
