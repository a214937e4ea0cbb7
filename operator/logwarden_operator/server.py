"""Serves metrics and health by HTTP, in the event loop of the operator: one that is stuck answers nothing."""

from __future__ import annotations

import logging

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from logwarden_operator import metrics
from logwarden_operator.heartbeat import Heartbeat


class Server:
    """The HTTP endpoint."""

    def __init__(self, heartbeat: Heartbeat, port: int) -> None:
        self._heartbeat, self._port = heartbeat, port
        app = web.Application()
        app.add_routes([web.get("/healthz", self._health), web.get("/metrics", self._metrics)])
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None)

    async def start(self) -> None:
        """Listen on all addresses."""
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()
        logging.getLogger(__name__).info("metrics and health at port %d", self._port)

    async def stop(self) -> None:
        """Stop."""
        await self._runner.cleanup()

    async def _health(self, request: web.Request) -> web.Response:
        if self._heartbeat.alive:
            return web.Response(text="ok\n")
        text = f"the watch has told nothing of the heartbeat for {self._heartbeat.age:.0f} s\n"
        return web.Response(text=text, status=503)

    async def _metrics(self, request: web.Request) -> web.Response:
        metrics.HEARTBEAT.set(self._heartbeat.age)
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
