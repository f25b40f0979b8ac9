"""A TCP proxy in front of a server, which can be shut in its clients' faces or made slow."""

import asyncio
from collections.abc import Callable

from deploy.local import ports

CHUNK = 1 << 16


class Door:
    """Listens on a loopback port of its own and passes everything on to a server.

    `target` says at which port the server is; it is asked for each connection, for a server may move.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        self.port = ports.choose(0)
        self.delay_s = 0.0
        """How long everything is held up, each way."""
        self._target = target
        self._shut = False
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._enter, ports.LOOPBACK, self.port)

    async def close(self) -> None:
        """End all connections and stop listening."""
        self.shut()
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*self._passing)
            await self._server.wait_closed()

    def shut(self) -> None:
        """Cut all connections, in the middle of whatever they carry; new ones are cut at once."""
        self._shut = True
        for end in self._ends:
            end.transport.abort()

    def unlock(self) -> None:
        """Let connections through again."""
        self._shut = False

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task of its own"
        self._passing.add(task)
        ends = {writer}
        try:
            if not self._shut:
                answers, beyond = await asyncio.open_connection(ports.LOOPBACK, self._target())
                ends.add(beyond)
                if not self._shut:
                    self._ends |= ends
                    await asyncio.gather(self._pass(reader, beyond), self._pass(answers, writer))
        except OSError:
            pass  # the server is away
        finally:
            self._passing.discard(task)
            self._ends -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one side says, until either side hangs up: then the other is hung up on."""
        try:
            while chunk := await reader.read(CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
