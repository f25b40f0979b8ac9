"""The Faust app of a worker, with every extension of ours in place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.stores import STORES
from faust.transport.drivers import TRANSPORTS

from streams.runtime.recovery import Tables
from streams.runtime.runtime import Runtime
from streams.runtime.topic import BatchTopic

# Our transport is an entry point (`faust.transports`), too; this way a tree that is not installed has it as
# well.
TRANSPORTS.aliases.setdefault("microbatch", "streams.runtime.transport:Transport")
STORES.aliases.setdefault("partitions", "streams.runtime.store:Store")

# Batches that wait between the consumer and the agents; they only pass them on, so few ever do.
STREAM_BUFFER = 16


class Boot(BootStrategy):
    """Starts no producer of Faust's: units of work have their own."""

    enable_kafka_producer = False
    enable_web = False


class WorkerApp(faust.App):
    """A Faust app that carries its worker's runtime."""

    BootStrategy = Boot
    runtime: Runtime

    def _create_directories(self) -> None:
        """Nothing of ours is kept on disk."""


def build_app(runtime: Runtime) -> WorkerApp:
    """The app of a worker.

    Exactly-once in Faust's terms means here: Faust reads committed records only, and tells our transport of
    every assignment before recovery; transactions are the lanes'.
    """
    worker = runtime.settings.worker
    servers = ";".join(f"microbatch://{server}" for server in runtime.settings.kafka.servers())
    app = WorkerApp(
        runtime.app_id,
        broker=servers,
        processing_guarantee="exactly_once",
        Topic=BatchTopic,
        TableManager=Tables,
        store="partitions://",
        datadir=str(Path(gettempdir()) / "tillstream"),
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=worker.partitions,
        table_standby_replicas=0,
        web_enabled=False,
        worker_redirect_stdouts=False,
        stream_buffer_maxsize=STREAM_BUFFER,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        broker_commit_interval=1.0,
        broker_session_timeout=worker.session_timeout_s,
        broker_heartbeat_interval=worker.heartbeat_s,
        broker_rebalance_timeout=worker.rebalance_timeout_s,
        broker_request_timeout=max(worker.request_timeout_s, worker.session_timeout_s),
        consumer_group_instance_id=runtime.member,
        loghandlers=[],
    )
    app.runtime = runtime
    # Faust asks this to know whether it is in a transaction; its own worker, which we do not use, sets it.
    app.in_worker = True
    runtime.app = app
    return app


def batch_topic(app: WorkerApp, names: Iterable[str]) -> Any:
    """A Faust topic of batches over these topics (as they are called in Kafka)."""
    return app.topic(*names, key_type=bytes, value_type=bytes, allow_empty=True)
