"""The stock worker's topics and tables, without a broker."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from streams.agents.stock import table_specs
from streams.runtime.store import Rows
from streams.runtime.tables import TableSpec
from topics.registry import OUTBOUND


class Plan:
    """What units of work are made with; `create_batch` is what the producer's would be."""

    topics: Mapping[str, str] = {topic.name: topic.name for topic in OUTBOUND}
    tables: Mapping[str, TableSpec[Any]] = {spec.name: spec for spec in table_specs()}

    def __init__(self, create_batch: Callable[[], Any]) -> None:
        self.create_batch = create_batch
        self._rows: defaultdict[str, Rows] = defaultdict(Rows)

    def changelog(self, table: str) -> str:
        return f"{table}-changelog"

    def rows(self, table: str, partition: int) -> Rows:
        return self._rows[table]
