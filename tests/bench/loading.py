"""The load generator, written in C so that it costs little, and a bare server under the same load."""

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec


class Told(msgspec.Struct, frozen=True, rename={"statuses": "status"}):
    """What one run of the load generator saw; milliseconds, and answers by their status."""

    answered: int
    errors: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    statuses: dict[str, int]

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return self.answered / self.elapsed_s

    def only(self, status: int) -> "Told":
        """Return this, once it is sure that every answer had this status."""
        if set(self.statuses) != {str(status)} or self.errors:
            raise RuntimeError(f"not every answer was {status}: {self}")
        return self


def load_generator(build: Path) -> Path | None:
    """Compile the load generator and return its path, or None where this machine has no C compiler."""
    build.mkdir(parents=True, exist_ok=True)
    source, program = Path(__file__).with_name("load.c"), build / "load"
    try:
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", str(program), str(source)], check=True)
    except FileNotFoundError:
        print("bench: no C compiler (cc) here, the figures over HTTP are left out", file=sys.stderr)
        return None
    return program


def request(method: str, path: str, headers: Mapping[str, str], body: object = None) -> bytes:
    """Return a request as it goes over the wire."""
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if data:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode() + data


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """Write requests as the load generator reads them."""
    with path.open("wb") as file:
        for raw in requests:
            file.write(struct.pack("<I", len(raw)) + raw)


def load(program: Path, port: int, connections: int, seconds: float, requests: Path) -> Told:
    """Send the requests over so many connections, one at a time on each, until they or the seconds are used up."""
    command = [str(program), "127.0.0.1", str(port), str(connections), str(seconds), str(requests)]
    return msgspec.json.decode(subprocess.run(command, check=True, capture_output=True).stdout, type=Told)


def bare(program: Path, connections: int, seconds: float, requests: Path) -> Told:
    """Return what a server that does nothing reaches under the same load."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.machine", str(port)])
    try:
        wait_for(port)
        return load(program, port, connections, seconds, requests)
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, seconds: float = 60.0) -> None:
    """Return when somebody listens on the port."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")
