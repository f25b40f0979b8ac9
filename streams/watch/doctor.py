"""All checks, each with what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from aiokafka.structs import TopicPartition

from streams import provision
from streams.settings import Settings, SettingsError
from streams.watch import disk_checks, kafka_checks, pipeline, postgres_checks
from streams.watch.cluster import Cluster
from streams.watch.errors import SilentError
from streams.watch.finding import Finding, fine, problem, unknown
from streams.watch.judgement import Limits, judge_groups, judge_offsets
from streams.watch.seen import Pipeline, Wrong

STALLED_S = 30.0
EXAMINE_S = 60.0


async def examine(
    settings: Settings, *, stalled_s: float = STALLED_S, addresses: Iterable[str] = ()
) -> list[Finding]:
    """Run every check; a part that does not answer is a problem of its own and hides no other."""
    kafka, postgres, seen = await asyncio.gather(
        _kafka(settings, stalled_s), _postgres(settings), pipeline.look(settings, addresses)
    )
    answered = all(one.part != "Kafka" for one in seen.silent)
    return [*kafka, *(_groups(seen) if answered else ()), *postgres, disk_checks.here(settings)]


async def _kafka(settings: Settings, stalled_s: float) -> list[Finding]:
    try:
        async with Cluster(settings) as cluster, asyncio.timeout(EXAMINE_S):
            return await _cluster(cluster, settings, stalled_s)
    except SilentError as error:
        return [problem("Kafka", f"it does not answer: {error.what}", error.remedy)]
    except SettingsError as error:
        return [problem("Kafka", "no address", str(error))]
    except provision.ProvisionError as error:
        return [unknown("topics", str(error), "then run this again")]
    except (KafkaError, TimeoutError) as error:
        return [
            unknown(
                "Kafka",
                f"it did not answer all questions: {type(error).__name__} {error}",
                "look at the brokers' logs, then run this again",
            )
        ]


async def _cluster(cluster: Cluster, settings: Settings, stalled_s: float) -> list[Finding]:
    states = await provision.look(settings)
    found = await cluster.brokers()
    names = {state.name for state in states}
    parts = await cluster.partitions({*names, kafka_checks.OFFSETS})
    # A partition without a leader has no offsets to ask for.
    logs = await cluster.ranges(
        TopicPartition(topic, number)
        for topic, numbers in parts.items()
        for number, part in numbers.items()
        if part.leader >= 0
    )
    ours = {topic: numbers for topic, numbers in parts.items() if topic in names}
    findings = [
        kafka_checks.brokers(found, ours),
        kafka_checks.topics(states),
        kafka_checks.counts(states),
    ]
    records = await cluster.last_records(kafka_checks.inbound(parts, logs, settings), kafka_checks.SAMPLE)
    return [
        *findings,
        *kafka_checks.placement(records, {state.name: state.partitions for state in states}),
        kafka_checks.record_times(records),
        await _asked(
            "last stable offset",
            kafka_checks.open_transactions(cluster, settings, parts, logs, stalled_s),
        ),
        await _asked("disk of the brokers", kafka_checks.log_room(cluster, found)),
    ]


async def _asked(check: str, asking: Awaitable[Finding]) -> Finding:
    """Await a check that older brokers, or a user with fewer rights, get no answer to."""
    try:
        return await asking
    except IncompatibleBrokerVersion as error:
        return unknown(check, str(error), "use Kafka's own tools")
    except (KafkaError, TimeoutError) as error:
        return unknown(
            check,
            f"a broker did not answer: {type(error).__name__} {error}",
            "look at its log, and whether this user may describe the cluster",
        )


async def _postgres(settings: Settings) -> list[Finding]:
    try:
        return await postgres_checks.check(settings)
    except SilentError as error:
        return [problem("Postgres", f"it does not answer: {error.what}", error.remedy)]


def _groups(seen: Pipeline) -> list[Finding]:
    members = ", ".join(
        f"{kind.kind}: {', '.join(one.client_id for one in kind.group.members) or 'nobody'}"
        for kind in seen.kinds
    )
    return [
        _judged("workers", judge_groups(seen, Limits()), members),
        _judged("offsets", judge_offsets(seen), "the groups and Postgres stand on the log everywhere"),
    ]


def _judged(check: str, wrong: Sequence[Wrong], well: str) -> Finding:
    if not wrong:
        return fine(check, well)
    return problem(
        check,
        "; ".join(dict.fromkeys(one.what for one in wrong)),
        "; ".join(dict.fromkeys(one.remedy for one in wrong)),
        [f"{one.where}: {one.what}" for one in wrong],
    )
