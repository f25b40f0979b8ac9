"""Which partition a key belongs to: murmur2, as Kafka's own producer has it."""

from functools import lru_cache

from aiokafka.partitioner import murmur2

DEFAULT_PARTITIONS = 4


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition number of a key; the same key is on the same number of every topic (DESIGN 1)."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
