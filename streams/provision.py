"""The topics in Kafka: which there must be, which there are, and making those that are missing."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from streams.domain.tables import TABLES
from streams.settings import Settings, require_kafka
from topics.registry import TOPICS, Topic, changelog, changelog_name

if TYPE_CHECKING:
    from streams.alteration import AlterRequest

_EXISTS = 36
_REPLICAS = 38
_UNKNOWN = 3
VISIBLE_WITHIN_S = 30.0
SAFE_REPLICAS = 3
"""From so many replicas on, a write waits for two of them."""


class ProvisionError(RuntimeError):
    """Topics cannot be made or read: the message says what was wrong, where, and what to do."""


class TopicState(msgspec.Struct, frozen=True, kw_only=True):
    """A topic that there must be, and how Kafka has it: `partitions` 0 when it is not there.

    `due` are the settings of the registry, `config` what Kafka has for them, and `differs` those that are not
    the same: (due, found).
    """

    name: str
    topic: Topic
    partitions: int = 0
    replicas: int = 0
    due: Mapping[str, str] = {}
    config: Mapping[str, str] = {}
    differs: Mapping[str, tuple[str, str]] = {}
    made: bool = False


def wanted(settings: Settings) -> dict[str, Topic]:
    """Return every topic that there must be, changelogs included, by its full name."""
    app_id = settings.worker.app_id("stock")
    due = [(topic.full_name(settings.worker.prefix), topic) for topic in TOPICS]
    names = (changelog_name(app_id, table) for table in TABLES)
    return dict(due) | {name: changelog(name) for name in names}


async def look(settings: Settings) -> list[TopicState]:
    """Return how Kafka has each topic that there must be; ProvisionError when it does not answer."""
    async with _Admin(settings) as admin:
        return await admin.look(wanted(settings))


async def create(settings: Settings, *, partitions: int | None = None, replicas: int = 1) -> list[TopicState]:
    """Make the topics that are missing, all with one count of partitions, and leave the others alone.

    Without `partitions` it is the count of the topics that are there, else the settings'. ProvisionError when
    those that are there have another count: nothing is made then.
    """
    async with _Admin(settings) as admin:
        before = await admin.look(wanted(settings))
        count = _one_count(before, partitions, settings)
        missing = [state for state in before if not state.partitions]
        if missing:
            await admin.make(missing, count, replicas)
            await admin.await_topics({state.name for state in missing})
        # Another `create` may have been at work at the same time, with another count.
        after = await admin.look(wanted(settings))
        _one_count(after, count, settings)
        made = {state.name for state in missing}
        return [msgspec.structs.replace(state, made=state.name in made) for state in after]


async def alter(settings: Settings, request: "AlterRequest") -> None:
    """Have the broker carry out the request, and wait until it shows; ProvisionError when it refuses a topic.

    Each topic is changed by itself: others may have been changed then.
    """
    async with _Admin(settings) as admin:
        await admin.alter(request)
        await admin.await_settings(request.wanted)


def _one_count(states: Sequence[TopicState], asked: int | None, settings: Settings) -> int:
    counts = Counter(state.partitions for state in states if state.partitions)
    if not counts:
        return asked or settings.worker.partitions
    (usual, _), *others = counts.most_common()
    due = asked or usual
    if due == usual and not others:
        return due
    odd = ", ".join(
        f"{state.name} has {state.partitions}"
        for state in states
        if state.partitions and state.partitions != due
    )
    raise ProvisionError(
        f"All topics must have the same number of partitions, so that a store lives on one number, but where"
        f" {due} are due {odd}. Use --partitions {usual}, or begin anew under another --prefix: a topic's"
        " partitions cannot change without moving stores."
    )


class _Admin:
    """Kafka's admin client, with errors that say what to do."""

    def __init__(self, settings: Settings) -> None:
        require_kafka(settings)
        self._kafka = settings.kafka
        self._client: Any = None

    async def __aenter__(self) -> "_Admin":
        self._client = AIOKafkaAdminClient(**self._kafka.client_options(), client_id="tillstream-topics")
        try:
            await self._client.start()
        except KafkaError as error:
            await self._client.close()
            raise ProvisionError(
                f"Kafka at {self._kafka.bootstrap} does not answer: {error}. Check the address"
                " (TILLSTREAM_KAFKA_BOOTSTRAP) and that the brokers are up."
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def await_topics(self, names: set[str]) -> None:
        """Wait until clients can see the topics, which is a moment after they were made."""
        deadline = time.monotonic() + VISIBLE_WITHIN_S
        while unseen := names - set(await self._client.list_topics()):
            if time.monotonic() > deadline:
                raise ProvisionError(
                    f"Topics were made but are not to be seen after {VISIBLE_WITHIN_S:.0f} s:"
                    f" {', '.join(sorted(unseen))}. Look at the brokers' logs, then run this again."
                )
            await asyncio.sleep(0.02)

    async def look(self, due: Mapping[str, Topic]) -> list[TopicState]:
        # All topics are asked for, not ours by name: a broker may make a topic that it is asked about.
        there = {
            topic["topic"]: topic["partitions"]
            for topic in await self._client.describe_topics()
            if topic["error_code"] == 0 and topic["topic"] in due
        }
        configs = await self._configs(list(there))
        states = []
        for name, topic in due.items():
            if name not in there:
                states.append(TopicState(name=name, topic=topic, due=topic.config()))
                continue
            found = configs.get(name, {})
            replicas = min(len(partition["replicas"]) for partition in there[name])
            settings = topic.config(_in_sync(replicas))
            differs = {
                key: (value, found[key]) for key, value in settings.items() if found.get(key, value) != value
            }
            states.append(
                TopicState(
                    name=name,
                    topic=topic,
                    partitions=len(there[name]),
                    replicas=replicas,
                    due=settings,
                    config={key: found[key] for key in settings if key in found},
                    differs=differs,
                )
            )
        return states

    async def _configs(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        answers = await self._client.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        )
        found: dict[str, dict[str, str]] = {}
        for answer in answers:
            for code, message, _kind, name, entries in (resource[:5] for resource in answer.resources):
                if code == _UNKNOWN:
                    continue  # removed since it was listed
                if code:
                    raise ProvisionError(
                        f"Kafka does not show the settings of topic {name}: {message or for_code(code)}."
                        " The user needs the right DescribeConfigs on topics."
                    )
                found[name] = {entry[0]: entry[1] for entry in entries}
        return found

    async def await_settings(self, wanted: Mapping[str, Mapping[str, str]]) -> None:
        """Wait until clients can see the settings, which is a moment after they were made."""
        deadline = time.monotonic() + VISIBLE_WITHIN_S
        while True:
            found = await self._configs(list(wanted))
            unseen = [name for name, due in wanted.items() if not due.items() <= found.get(name, {}).items()]
            if not unseen:
                return
            if time.monotonic() > deadline:
                raise ProvisionError(
                    f"Settings were changed but are not to be seen after {VISIBLE_WITHIN_S:.0f} s:"
                    f" {', '.join(unseen)}. Look at the brokers' logs, then run this again."
                )
            await asyncio.sleep(0.02)

    async def alter(self, request: "AlterRequest") -> None:
        try:
            answer = await self._client._send_request(request)  # aiokafka has no method for it
        except KafkaError as error:
            raise ProvisionError(
                f"Kafka at {self._kafka.bootstrap} did not change the topics: {error}. Run this again:"
                " what is set already is left alone."
            ) from error
        for code, message, _kind, name in answer.responses:
            if code:
                raise ProvisionError(
                    f"Kafka does not change topic {name}: {message or for_code(code)}. The user needs the"
                    " right AlterConfigs on topics."
                )

    async def make(self, states: Sequence[TopicState], partitions: int, replicas: int) -> None:
        answer = await self._client.create_topics(
            [
                NewTopic(
                    name=state.name,
                    num_partitions=partitions,
                    replication_factor=replicas,
                    topic_configs=dict(state.topic.config(_in_sync(replicas))),
                )
                for state in states
            ]
        )
        for name, code, message in (error[:3] for error in answer.topic_errors):
            if code in (0, _EXISTS):
                continue
            hint = (
                f" Use --replication-factor with no more than there are brokers (now {replicas})."
                if code == _REPLICAS
                else " Check that the user may create topics."
            )
            raise ProvisionError(f"Topic {name} could not be made: {message or for_code(code)}.{hint}")


def _in_sync(replicas: int) -> int:
    return 2 if replicas >= SAFE_REPLICAS else 1
