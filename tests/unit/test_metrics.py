"""What a worker's endpoint says in each state, and that dashboards and alerts ask for what there is."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from deploy.local import ports
from streams.replay import telling
from streams.runtime import endpoint, health
from streams.runtime.endpoint import Endpoint
from streams.runtime.health import LaneHealth, State, TableSize, WorkerHealth
from streams.runtime.history import event_time
from streams.runtime.metrics import Metrics, ReplayProgress
from streams.runtime.tally import COUNTED, CountingBuilder
from streams.settings import WorkerSettings
from tests.system.waiting import until

ROOT = Path(__file__).parents[2]
# What the exposition adds to the names of histograms and counters.
SUFFIX = re.compile(r"_(bucket|count|sum|total|created)$")


@asynccontextmanager
async def served(state: WorkerHealth, port: int | None = None) -> AsyncIterator[str]:
    port = port or ports.choose(0)
    server = Endpoint(Metrics(state).registry, "127.0.0.1", port, state, app_id="stock")
    task = asyncio.create_task(server.serve())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def get(url: str) -> tuple[int, str]:
    """Ask until someone listens; the status and the text."""
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url) as answer:
                    return answer.status, await answer.text()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("state", "live", "ready"),
    [
        (State.STARTING, 200, 503),
        (State.RECOVERING, 200, 503),
        (State.RUNNING, 200, 200),
        (State.STOPPING, 200, 503),
        (State.DEAD, 503, 503),
    ],
)
async def test_probes_tell_the_states_apart(state: State, live: int, ready: int) -> None:
    worker = WorkerHealth("stock", "stock-1")
    worker.enter(state, "for a reason" if state is State.DEAD else "")
    async with served(worker) as url:
        assert [(await get(f"{url}/{path}"))[0] for path in ("live", "ready")] == [live, ready]
        status, text = await get(f"{url}/health")
        assert (status, json.loads(text)["state"], json.loads(text)["app_id"]) == (ready, state, "stock")
        _, text = await get(f"{url}/metrics")
        assert f'tillstream_worker_state{{kind="stock",state="{state}"}} 1.0' in text
        assert text.count("tillstream_worker_state{") == len(State)


async def test_a_worker_whose_consumer_thread_is_silent_is_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerHealth("history", "history-1")
    worker.enter(State.RUNNING)
    assert worker.live
    monkeypatch.setattr(health, "SILENT_S", 0.0)
    async with served(worker) as url:
        assert (await get(f"{url}/live"))[0] == (await get(f"{url}/ready"))[0] == 503


async def test_waiting_for_postgres_is_live_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerHealth("history", "history-1")
    worker.enter(State.RUNNING)
    worker.trouble = lambda: "Postgres is away"
    async with served(worker) as url:
        assert (await get(f"{url}/live"))[0] == 200
        status, text = await get(f"{url}/health")
        assert (status, json.loads(text)["trouble"]) == (503, "Postgres is away")
        assert 'tillstream_worker_waiting{kind="history"} 1.0' in (await get(f"{url}/metrics"))[1]


async def test_a_port_that_is_taken_is_told_once_and_had_when_it_is_free(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoint, "TRY_AGAIN_S", 0.01)
    caplog.set_level(logging.WARNING)
    first, second = WorkerHealth("stock", "first"), WorkerHealth("stock", "second")
    port = ports.choose(0)
    async with served(first, port) as url:
        assert json.loads((await get(f"{url}/health"))[1])["member"] == "first"
        waiting = served(second, port)
        await waiting.__aenter__()
        await until("the second worker tells of it", lambda: "TILLSTREAM_HTTP_PORT" in caplog.text)
    try:
        assert json.loads((await get(f"{url}/health"))[1])["member"] == "second"
    finally:
        await waiting.__aexit__(None, None, None)
    assert caplog.text.count("the port is taken") == 1


def test_each_worker_of_a_machine_has_a_port_of_its_own() -> None:
    ports_of = [WorkerSettings(slot=slot).port(kind) for slot in (0, 1) for kind in ("stock", "history")]
    assert ports_of == [9640, 9641, 9642, 9643]
    assert WorkerSettings(http_port=0).port("stock") is None
    assert WorkerSettings(http_port=65_535).port("history") is None


def test_exceptions_and_letters_are_counted_as_they_are_sent() -> None:
    sent: list[bytes] = []
    tally: Counter[tuple[str, str, str]] = Counter()

    def append(*, value: bytes, **_: Any) -> object:
        sent.append(value)
        return None if value == letter and sent.count(letter) == 1 else object()

    def exception(opens: bool, opened: str, at: str) -> bytes:
        return msgspec.json.encode(
            {"kind": "backordered", "open": opens, "opened_at": opened, "event_time": at, "detail": "x"}
        )

    letter = msgspec.json.encode({"reason": "not_json", "detail": "x"})
    early, late = "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"
    events = [exception(True, early, early), exception(True, early, late), exception(False, early, late)]
    builder = CountingBuilder(append, COUNTED["exceptions"], tally)
    for value in events:
        assert builder.append(timestamp=None, key=b"s", value=value, headers=[]) is not None
    builder = CountingBuilder(append, COUNTED["dead.letters"], tally)
    for _ in range(2):  # the first did not fit its batch
        builder.append(timestamp=None, key=b"s", value=letter, headers=[])
    assert tally == {
        ("exceptions", "backordered", "opened"): 1,
        ("exceptions", "backordered", "told"): 1,
        ("exceptions", "backordered", "closed"): 1,
        ("dead.letters", "not_json", "refused"): 1,
    }


def test_an_event_without_a_readable_time_is_no_measure_of_freshness() -> None:
    class Record:
        def __init__(self, *headers: tuple[str, bytes]) -> None:
            self.headers = headers

    assert event_time(Record(("ce_time", b"2026-03-01T10:00:00Z"))) is not None
    assert event_time(Record()) is None
    assert event_time(Record(("ce_time", b"yesterday"))) is None
    assert event_time(Record(("ce_time", b"\xff"))) is None
    assert event_time(Record(("ce_time", b"2026-03-01T10:00:00"))) is None


async def test_a_replay_tells_prometheus_how_far_it_is_while_it_runs() -> None:
    told: list[tuple[int, int]] = []
    port = ports.choose(0)
    async with telling.exported(lambda done, due: told.append((done, due)), "127.0.0.1", port) as tell:
        tell(10, 100)
        _, before = await get(f"http://127.0.0.1:{port}/metrics")
        tell(40, 100)
        _, after = await get(f"http://127.0.0.1:{port}/metrics")
    assert told == [(10, 100), (40, 100)]
    assert "tillstream_replay_seconds_left -1.0" in before
    assert "tillstream_replay_offsets_done 40.0" in after
    assert "tillstream_replay_offsets_due 100.0" in after
    left = re.search(r"^tillstream_replay_seconds_left (\S+)$", after, re.MULTILINE)
    assert left is not None
    assert float(left[1]) > 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_replay_without_a_port_tells_the_screen_alone() -> None:
    def tell(_done: int, _due: int) -> None:
        pass

    async with telling.exported(tell, "127.0.0.1", None) as told:
        assert told is tell


def exported() -> set[str]:
    """Return the name of every metric that a worker or a replay exports, as Prometheus stores it."""
    worker = WorkerHealth("stock", "stock-1")
    worker.lanes[0] = LaneHealth(0, lag={"sales": 1})
    worker.outcomes["decided"] += 1
    worker.exceptions["backordered", "opened"] += 1
    worker.refused["not_json"] += 1
    worker.table_sizes = lambda: [TableSize("sales", 1, 0)]
    metrics = Metrics(worker)
    metrics.unit(1, 0.1, 0.1)
    metrics.latency(0.1)
    metrics.freshness(0.1)
    replays = ReplayProgress()
    return {
        sample.name
        for registry in (metrics.registry, replays.registry)
        for family in registry.collect()
        for sample in family.samples
    }


def asked(text: str) -> set[str]:
    return set(re.findall(r"\btillstream_[a-z0-9_]+\b", text))


def test_alerts_ask_for_metrics_that_there_are_and_name_runbooks_that_there_are() -> None:
    text = (ROOT / "deploy/alerts/tillstream.rules.yml").read_text()
    expressions = "\n".join(re.findall(r"^\s+expr: (.+)$", text, re.MULTILINE))
    assert len(asked(expressions)) > 8
    assert asked(expressions) <= exported()
    alerts = re.findall(r"^\s+- alert: (\w+)$", text, re.MULTILINE)
    runbooks = re.findall(r"^\s+runbook: (\S+)$", text, re.MULTILINE)
    assert len(alerts) == len(set(alerts)) == len(runbooks)
    assert [name for name in runbooks if not (ROOT / name).is_file()] == []


def test_what_is_said_to_be_done_names_runbooks_that_there_are() -> None:
    said = {
        name
        for path in (ROOT / "streams/watch").glob("*.py")
        for name in re.findall(r"runbook ([a-z]+(?:-[a-z]+)+)", path.read_text())
    }
    assert len(said) > 4
    assert [name for name in said if not (ROOT / f"deploy/runbooks/{name}.md").is_file()] == []


def test_dashboards_ask_for_metrics_that_there_are() -> None:
    dashboards = list((ROOT / "deploy/dashboards").glob("*.json"))
    assert dashboards
    for path in dashboards:
        board = json.loads(path.read_text())
        expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
        assert expressions
        assert [one for one in expressions if not asked(one) or not asked(one) <= exported()] == []
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
