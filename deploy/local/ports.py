"""Ports: chosen free once, remembered in the state folder, chosen again when somebody took one."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.files import read_json_object, write_atomically

_FIRST_PORT, _LAST_PORT = 20_000, 32_000
"""Below the range from which the kernel takes the ports of outgoing connections."""


def is_free(port: int) -> bool:
    """Say whether nobody listens on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def settle_ports(path: Path, names: Iterable[str]) -> dict[str, int]:
    """Return a free port per name, the remembered one where it is still free, and remember them in `path`."""
    remembered = read_json_object(path).get("ports")
    ports: dict[str, int] = {
        name: port
        for name, port in (remembered if isinstance(remembered, dict) else {}).items()
        if isinstance(name, str) and isinstance(port, int)
    }
    before = dict(ports)
    wanted = list(names)
    for name in wanted:
        if name not in ports or not is_free(ports[name]):
            ports[name] = _choose(taken=set(ports.values()))
    if ports != before:
        write_atomically(path, json.dumps({"ports": ports}, indent=2) + "\n")
    return {name: ports[name] for name in wanted}


def _choose(taken: set[int]) -> int:
    for _ in range(1000):
        port = random.SystemRandom().randint(_FIRST_PORT, _LAST_PORT)
        if port not in taken and is_free(port):
            return port
    raise LocalStackError(f"found no free port between {_FIRST_PORT} and {_LAST_PORT} on the loopback address")
