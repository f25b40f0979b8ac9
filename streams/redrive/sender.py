"""Puts records on the inbound topics again, a transaction at a time, under one transactional id."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import InvalidProducerEpoch, KafkaError, MessageSizeTooLargeError, ProducerFenced

from streams.redrive.errors import RedriveError
from streams.redrive.marks import marked
from streams.redrive.originals import unreachable
from streams.redrive.preparing import Outgoing
from streams.settings import Settings
from topics.registry import INPUT_BYTES

START_S = 30.0
_TRANSACTION_MS = 60_000
_RETRY_MS = 20
_FENCED = (ProducerFenced, InvalidProducerEpoch)


class NothingSentError(RedriveError):
    """The transaction was aborted: none of its records is on its topic."""


class Sender:
    """A producer whose start fences every earlier one: what those left open is aborted; they send no more."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        options = settings.kafka.client_options()
        self.transactional_id = settings.worker.app_id("redrive")
        self._producer: Any = AIOKafkaProducer(
            **options,
            client_id="tillstream-redrive",
            transactional_id=self.transactional_id,
            transaction_timeout_ms=_TRANSACTION_MS,
            retry_backoff_ms=_RETRY_MS,
            # With its mark a record near the limit would not fit any more.
            compression_type="gzip",
            max_request_size=2 * INPUT_BYTES,
        )
        self._ends: Any = AIOKafkaConsumer(**options, client_id="tillstream-redrive")

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(START_S):
                await self._ends.start()
                await self._producer.start()
        except (KafkaError, TimeoutError) as error:
            await self._stop()
            raise RedriveError(
                f"The transactional id {self.transactional_id} could not be had within {START_S:.0f} s:"
                f" {error!r}. Check that the brokers are up and that this user may write under it. Nothing"
                " was sent"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        with contextlib.suppress(KafkaError):
            await self._producer.stop()
        await self._ends.stop()

    async def ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """Return the offset that the next record of each partition will have, or one before it."""
        full = self._settings.worker.topic(topic)
        try:
            found = await self._ends.end_offsets([TopicPartition(full, number) for number in partitions])
        except KafkaError as error:
            raise unreachable(self._settings, error) from error
        return {tp.partition: offset for tp, offset in found.items()}

    async def begin(self) -> None:
        """Begin a transaction."""
        try:
            await self._producer.begin_transaction()
        except KafkaError as error:
            raise self._unknown(error) from error

    async def put(self, records: Sequence[tuple[Outgoing, int, str]]) -> list[int]:
        """Send records, each with its partition and its sending's id; return their offsets (-1: unknown).

        They are seen when the transaction is committed. Raises NothingSentError after aborting it.
        """
        flying: list[asyncio.Future[Any]] = []
        try:
            for outgoing, partition, redrive_id in records:
                flying.append(
                    await self._producer.send(
                        self._settings.worker.topic(outgoing.topic),
                        outgoing.value,
                        outgoing.key,
                        partition=partition,
                        timestamp_ms=outgoing.timestamp if outgoing.timestamp >= 0 else None,
                        headers=marked(outgoing.headers, outgoing.letter.source, redrive_id),
                    )
                )
            return [int((await future).offset) for future in flying]
        except KafkaError as error:
            await asyncio.gather(*flying, return_exceptions=True)
            await self._abort(error)
            what = "one is too large" if isinstance(error, MessageSizeTooLargeError) else repr(error)
            first = records[0][0].letter.source
            raise NothingSentError(
                f"Kafka refused {len(records)} records, those of {first} and after it ({what}): none was sent"
            ) from error

    async def _abort(self, cause: KafkaError) -> None:
        try:
            await self._producer.abort_transaction()
        except KafkaError as error:
            raise self._unknown(cause) from error

    async def commit(self) -> None:
        """Commit the transaction; RedriveError when it is not known whether that took effect."""
        try:
            await self._producer.commit_transaction()
        except KafkaError as error:
            raise self._unknown(error) from error

    def _unknown(self, error: KafkaError) -> RedriveError:
        if isinstance(error, _FENCED) or isinstance(error.__cause__, _FENCED):
            return RedriveError(
                "Another redrive has begun meanwhile: it goes on with the letters that were left"
                " (`tillstream dlq list --state sending`)"
            )
        return RedriveError(
            f"Kafka failed in the middle of a transaction: {error!r}. Run the same command again when the"
            " brokers are up: it finds out what was sent before it sends anything"
        )
