"""Topics whose messages are batches: nothing to decode, nothing to declare."""

from __future__ import annotations

from typing import Any

import faust


class BatchTopic(faust.Topic):
    """A Faust topic that passes each batch on as it is."""

    def _compile_decode(self) -> None:
        create_event = self.app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        self.decode = decode

    async def declare(self) -> None:
        """Topics are made by `tillstream topics create`, never by a worker."""
