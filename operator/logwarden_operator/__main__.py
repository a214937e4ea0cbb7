"""``python -m logwarden_operator``: run the operator."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from pathlib import Path
from typing import Any

import kopf
from kopf._core.engines.peering import Identity

from logwarden.errors import LogwardenError
from logwarden_operator.app import App
from logwarden_operator.handlers import register
from logwarden_operator.settings import Settings, load_settings

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main() -> int:
    """Run until SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m logwarden_operator", description="The Logwarden operator.")
    parser.add_argument("--settings", type=Path, help="YAML file with the settings (default: those of a trial)")
    parser.add_argument("--port", type=int, default=8080, help="port of /metrics and /healthz (default: 8080)")
    parser.add_argument("--pod", metavar="NAME/UID", help="the pod this is: its own objects go with it")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning"], help="default: info")
    options = parser.parse_args()
    logging.basicConfig(level=options.log_level.upper(), format=_FORMAT, stream=sys.stderr)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # It would warn of every optional kind that the cluster lacks.
    logging.getLogger("kopf._core.reactor.observation").setLevel(logging.ERROR)
    try:
        settings = load_settings(options.settings) if options.settings else Settings()
        asyncio.run(_run(settings, options.port, options.pod))
    except LogwardenError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


async def _run(settings: Settings, port: int, pod: str | None) -> None:
    asyncio.get_running_loop().set_exception_handler(_note)
    registry = kopf.OperatorRegistry()
    register(registry, App(settings, port, pod))
    await kopf.operator(
        registry=registry,
        standalone=True,
        # Otherwise kopf asks for the name of the user, and in a pod there is none.
        identity=Identity(socket.gethostname()),
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
    )


def _note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what no task caught. That a watch of kopf was closed in the middle of a line only means that we stop."""
    if "asyncgen" in context:
        logging.getLogger(__name__).debug("while stopping: %s", context["message"])
    else:
        loop.default_exception_handler(context)


if __name__ == "__main__":
    sys.exit(main())
