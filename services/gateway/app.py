"""Wires the gateway: `python -m services.gateway.app http` serves people, `… worker` relays and folds."""

import os
import sys

import uvloop

from services.gateway.config import GatewaySettings
from shared.faults import arm_from
from shared.telemetry.logs import configure


async def _http(settings: GatewaySettings) -> int:
    from services.gateway.http.server import HttpProcess

    return await HttpProcess(settings).run()


async def _worker(settings: GatewaySettings) -> int:
    from services.gateway.worker import GatewayWorker

    return await GatewayWorker(settings).run()


def main(arguments: list[str]) -> int:
    """Run one process until SIGTERM or SIGINT; 0 when drained, 1 after a fault of ours, 2 for wrong arguments."""
    if len(arguments) != 1 or arguments[0] not in ("http", "worker"):
        print("usage: python -m services.gateway.app http|worker", file=sys.stderr)
        return 2
    settings = GatewaySettings()
    configure("gateway", settings.instance, settings.log_level)
    arm_from(os.environ)
    return uvloop.run(_http(settings) if arguments[0] == "http" else _worker(settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
