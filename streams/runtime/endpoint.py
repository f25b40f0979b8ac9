"""A small HTTP server on the worker's own event loop, for probes and Prometheus.

It answers only while the loop does: one that hangs does not look live.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.runtime.health import WorkerHealth

log = logging.getLogger(__name__)

# While the port is taken, such as by the worker that this one replaces.
TRY_AGAIN_S = 5.0
CLOSE_S = 0.5


class Endpoint:
    """Serves `/metrics` of a registry, and with `health` also `/live`, `/ready` and `/health`.

    `/live` is 200 unless a new start would help, `/ready` 200 while it works on records, `/health` the
    same with everything it knows as JSON; what is not 200 is 503.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        host: str,
        port: int,
        health: WorkerHealth | None = None,
        **about: Any,
    ) -> None:
        self._registry = registry
        self._health = health
        self._about = about
        self.host = host
        self.port = port

    async def serve(self) -> None:
        """Serve until cancelled. A port that is taken is tried again and again; nothing else waits for it."""
        runner = web.AppRunner(self._app(), access_log=None, handle_signals=False, shutdown_timeout=CLOSE_S)
        await runner.setup()
        try:
            await self._listen(runner)
            await asyncio.Event().wait()
        except Exception:
            log.exception("probes and metrics end; the worker goes on without them")
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        told = False
        while True:
            try:
                await web.TCPSite(runner, self.host, self.port).start()
            except OSError as error:
                if not told:
                    log.warning("no probes and metrics at %s:%s: %s", self.host, self.port, _remedy(error))
                told = True
                await asyncio.sleep(TRY_AGAIN_S)
            else:
                log.info("probes and metrics at %s:%s", self.host, self.port)
                return

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        if (health := self._health) is not None:
            app.router.add_get("/live", _probe(health, lambda: health.live))
            app.router.add_get("/ready", _probe(health, lambda: health.ready))
            app.router.add_get("/health", self._all(health))
        return app

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    def _all(self, health: WorkerHealth) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            return _answer(health.ready and health.trouble() is None, self._about | health.snapshot())

        return answer


def _probe(health: WorkerHealth, good: Callable[[], bool]) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        return _answer(good(), {"state": str(health.state), "reason": health.reason})

    return answer


def _answer(good: bool, body: Any) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body),
        status=200 if good else 503,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _remedy(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"the port is taken. The worker goes on, and tries it again every {TRY_AGAIN_S:.0f} s; if another"
            " installation has it, set TILLSTREAM_HTTP_PORT (two ports for each slot), 0 for none"
        )
    return f"{error}. The worker goes on; set TILLSTREAM_HTTP_HOST to an address of this machine"
