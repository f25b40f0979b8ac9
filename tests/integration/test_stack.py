"""The embedded stack: up, down, and everything that may be found broken in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from deploy.local import process
from deploy.local.kafka import KafkaOptions
from deploy.local.postgres import PostgresOptions
from deploy.local.stack import Stack, StackError, read_endpoints

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Make a directory that the database's user can reach when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="tillstream-test-") as name:
        path = Path(name).resolve()
        path.chmod(0o711)
        yield path


def stack_in(path: Path) -> Stack:
    return Stack(
        path,
        kafka=KafkaOptions(heap="256m", broker_port=0, controller_port=0),
        postgres=PostgresOptions(port=0),
    )


@pytest.fixture(scope="module")
def shared(directory: Path) -> Iterator[Stack]:
    """One detached stack for the tests that leave it usable."""
    with stack_in(directory / "shared") as stack:
        yield stack


@pytest.fixture
def running(shared: Stack) -> Stack:
    shared.up()
    return shared


def pids(stack: Stack) -> set[int | None]:
    return {part.pid for part in stack.status().parts}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:.0f} s: {what}"
        time.sleep(0.05)


def processes_of(data_dir: Path) -> list[int]:
    """Return every process that has this directory among its arguments or as its working directory."""
    found = []
    for candidate in psutil.process_iter(["pid", "cmdline", "cwd", "status"]):
        info = candidate.info
        words = [*(info["cmdline"] or []), info["cwd"] or ""]
        if info["status"] != psutil.STATUS_ZOMBIE and any(str(data_dir) in word for word in words):
            found.append(candidate.pid)
    return found


def command(*arguments: str) -> subprocess.Popen[str]:
    code = "from streams.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def run(*arguments: str) -> tuple[int, str, str]:
    with command(*arguments) as child:
        out, err = child.communicate(timeout=DEADLINE_S)
        return child.returncode, out, err


async def write_one(stack: Stack, topic: str, table: str) -> None:
    """Put one record and one row in, so that a test can see later that they were kept."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.endpoints.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=stack.endpoints.bootstrap) as producer:
        await producer.send_and_wait(topic, b"kept", partition=0)
    connection = await asyncpg.connect(stack.endpoints.postgres_dsn)
    await connection.execute(f"CREATE TABLE {table} AS SELECT 'kept' AS value")
    await connection.close()


async def read_record(stack: Stack, topic: str) -> bytes:
    async with AIOKafkaConsumer(
        bootstrap_servers=stack.endpoints.bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        record = await asyncio.wait_for(consumer.getone(), DEADLINE_S)
        return bytes(record.value)


async def read_row(stack: Stack, table: str) -> str:
    connection = await asyncpg.connect(stack.endpoints.postgres_dsn)
    try:
        return str(await connection.fetchval(f"SELECT value FROM {table}"))
    finally:
        await connection.close()


async def test_both_servers_take_clients_as_soon_as_up_returns(running: Stack) -> None:
    await write_one(running, "first", "first")
    assert await read_record(running, "first") == b"kept"
    assert await read_row(running, "first") == "kept"


async def test_postgres_is_version_18_and_writes_through_to_the_disk(running: Stack) -> None:
    connection = await asyncpg.connect(running.endpoints.postgres_dsn)
    assert (await connection.fetchval("SHOW server_version")).startswith("18.")
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await connection.fetchval(f"SHOW {setting}") == "on"
    await connection.close()


async def test_postgres_wants_the_password_that_only_the_owner_can_read(running: Stack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(running.endpoints.postgres_dsn.partition("?")[0], password="guess")
    assert running.postgres.password_file.stat().st_mode & 0o777 == 0o600
    assert (
        running.postgres.password_file.read_text().split(":")[-1].strip()
        not in running.endpoints.postgres_dsn
    )


async def test_kafka_makes_no_topic_by_accident(running: Stack) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=running.endpoints.bootstrap, request_timeout_ms=1000
    ) as producer:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.partitions_for("never.made")
            await producer.send_and_wait("never.made", b"x")


def test_everything_listens_on_loopback_only(running: Stack) -> None:
    for pid in pids(running):
        listening = [c for c in psutil.Process(pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listening
        assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}


def test_a_second_up_changes_nothing(running: Stack) -> None:
    before = pids(running)
    again = stack_in(running.data_dir)
    assert again.up() == running.endpoints
    assert pids(again) == before


def test_up_and_status_say_where_a_running_stack_is(running: Stack) -> None:
    code, out, _ = run("up", "--data-dir", str(running.data_dir))
    assert code == 0
    assert "running already" in out
    code, out, _ = run("status", "--json", "--data-dir", str(running.data_dir))
    assert code == 0
    answer = json.loads(out)
    assert answer["running"] is True
    assert answer["endpoints"]["bootstrap"] == running.endpoints.bootstrap
    assert {part["pid"] for part in answer["parts"]} == pids(running)
    assert read_endpoints(running.data_dir) == running.endpoints


@pytest.mark.parametrize("part", ["kafka", "postgres"])
async def test_what_was_written_survives_a_kill_and_the_port_stays(running: Stack, part: str) -> None:
    await write_one(running, f"kept-{part}", f"kept_{part}")
    before = running.endpoints
    server = getattr(running, part)
    server.kill()
    assert [status.running for status in running.status().parts if status.name == part] == [False]
    assert server.start() is True
    assert running.endpoints == before
    assert await read_record(running, f"kept-{part}") == b"kept"
    assert await read_row(running, f"kept_{part}") == "kept"


async def test_an_immediate_stop_of_postgres_recovers(running: Stack) -> None:
    await write_one(running, "immediate", "immediate")
    running.postgres.stop(mode="immediate")
    assert running.postgres.server is None
    running.postgres.start()
    assert await read_row(running, "immediate") == "kept"


def test_up_starts_just_the_part_that_is_missing(running: Stack) -> None:
    kafka = running.kafka.server
    assert kafka is not None
    running.postgres.kill()
    assert read_endpoints(running.data_dir) == running.endpoints, "Kafka is of use without Postgres"
    running.up()
    assert running.kafka.server == kafka
    assert running.postgres.server is not None


async def test_a_lost_password_is_made_anew(running: Stack) -> None:
    await write_one(running, "password", "password")
    running.postgres.stop()
    running.postgres.password_file.unlink()
    running.postgres.start()
    assert await read_row(running, "password") == "kept"


def test_torn_state_files_lose_no_running_server(running: Stack) -> None:
    before, endpoints = pids(running), running.endpoints
    for name in ("kafka.json", "postgres.json"):
        (running.data_dir / "run" / name).write_bytes(b'{"pid": 1')
    assert pids(running) == before
    assert running.endpoints == endpoints
    assert running.up() == endpoints
    assert pids(running) == before


def test_down_leaves_no_process_and_never_touches_another_with_the_same_pid(running: Stack) -> None:
    assert processes_of(running.data_dir)
    assert running.down() is True
    assert processes_of(running.data_dir) == []
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(170)"]) as bystander:
        try:
            for name in ("kafka.json", "postgres.json"):
                path = running.data_dir / "run" / name
                path.write_text(json.dumps({"pid": bystander.pid, "started": 1.0, "ports": {}}))
            lock = running.postgres.home / "postmaster.pid"
            lock.write_text(f"{bystander.pid}\n{running.postgres.home}\n1\n1\n\n127.0.0.1\n1 1\nready\n")
            assert running.status().running is False
            assert running.down() is False
            assert run("status", "--data-dir", str(running.data_dir))[0] == 3
            running.up()
            assert bystander.pid not in pids(running)
            running.down()
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_two_that_start_at_once_share_one_stack(running: Stack) -> None:
    running.down()
    with ThreadPoolExecutor(2) as pool:
        starts = [pool.submit(run, "up", "--json", "--data-dir", str(running.data_dir)) for _ in range(2)]
        answers = [json.loads(start.result()[1]) for start in starts]
    assert answers[0] == answers[1]
    # It outlived the commands that started it.
    assert {part["pid"] for part in answers[0]["parts"]} == pids(running)


def test_a_server_that_cannot_start_is_an_error_with_the_end_of_its_log(running: Stack) -> None:
    running.down()
    version = running.postgres.home / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(StackError, match="Postgres ended while it started") as raised:
        running.up()
    version.write_text("18\n")
    assert "postgres.log" in str(raised.value)
    assert "version 12" in str(raised.value)
    assert processes_of(running.data_dir) == []  # Kafka, which did start, was stopped again


def test_an_attached_stack_ends_with_its_killed_owner() -> None:
    code = (
        "import sys; from deploy.local.stack import Stack; stack = Stack.ephemeral(heap='256m'); stack.up();"
        "print(stack.data_dir, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        data_dir = Path(owner.stdout.readline().strip())
        assert processes_of(data_dir)
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not processes_of(data_dir), "the servers and their guard end")
    assert not data_dir.exists()


def test_a_directory_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = run("up", "--data-dir", str(tmp_path / "file" / "below"))
    assert code == 1
    assert str(tmp_path / "file" / "below") in err
    assert "--data-dir" in err


def test_a_half_written_directory_is_begun_anew_and_taken_ports_are_avoided(directory: Path) -> None:
    data_dir = directory / "half"
    for half in ("kafka/data", "kafka/data.new", "postgres", "postgres.new/base", "run"):
        (data_dir / half).mkdir(parents=True)
    (data_dir / "run" / "kafka.json").write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        taken = {first.getsockname()[1], second.getsockname()[1]}
        broker, database = sorted(taken)
        kafka, postgres = KafkaOptions("256m", broker, broker), PostgresOptions(database)
        with Stack(data_dir, kafka=kafka, postgres=postgres) as stack:
            stack.up()
            used = {port for part in stack.status().parts for port in part.ports.values()}
    assert len(used) == 3
    assert not used & taken
    assert not (data_dir / "postgres.new").exists()


def test_an_owner_killed_while_its_stack_starts_leaves_nothing(directory: Path) -> None:
    data_dir = directory / "early"
    code = (
        "from pathlib import Path; from deploy.local.stack import Stack; "
        f"Stack(Path({str(data_dir)!r})).up(attached=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as owner:
        wait_until(
            lambda: process.find("java", str(data_dir / "kafka/server.properties")) is not None,
            "Kafka begins",
        )
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not processes_of(data_dir), "what had started ends")


def test_in_the_foreground_a_server_that_dies_is_started_again_and_down_ends_all() -> None:
    with command("up", "--ephemeral", "--json") as foreground:
        assert foreground.stdout is not None
        data_dir = Path(json.loads(foreground.stdout.readline())["data_dir"])
        stack = Stack(data_dir)
        killed = stack.postgres.server
        assert killed is not None
        stack.postgres.kill()
        wait_until(lambda: stack.postgres.server not in {None, killed}, "Postgres is started again")
        code, out, _ = run("down", "--data-dir", str(data_dir))
        assert (code, "stopped" in out) == (0, True)
        assert foreground.wait(DEADLINE_S) == 0
        foreground.communicate()
    assert processes_of(data_dir) == []
    assert not data_dir.exists()
