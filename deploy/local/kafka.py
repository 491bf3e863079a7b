"""Apache Kafka 4.4.0, one node in KRaft mode, as a child of ours.

What makes it quick: a class-data archive, a log folder formatted once and copied, the small compiler and collector.
What makes it come back quickly after kill -9: a broker session of 1.5 s; with Kafka's own 9 s the controller holds
the dead incarnation for 12 s.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.home import Say, digest, made_once, quiet
from deploy.local.jars import KAFKA, fetched
from deploy.local.java import Java, archive_flags, class_data_archive, class_path, find_java
from deploy.local.ports import settle_ports
from deploy.local.probes import kafka_ready
from deploy.local.program import Program

_HERE = Path(__file__).parent
_CLUSTER_ID = "cGlwZXJvbGwtbG9jYWwtMQ"
_FLAGS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.topic.segment.bytes=1048576
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.state.log.segment.bytes=1048576
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
log.segment.bytes=67108864
"""


def prepare(say: Say = quiet) -> None:
    """Fetch the jars and make what is made once: the formatted folder and the class-data archive."""
    java, jars = find_java(), fetched(KAFKA, say)
    _template(java, jars, say)
    _archive(java, jars, say)


def lay_out(folder: Path, broker: int, controller: int, say: Say = quiet) -> None:
    """Write the configuration for these ports, and the log folder when it is not there yet."""
    prepare(say)
    folder.mkdir(exist_ok=True)
    if not (folder / "data").exists():
        work = Path(tempfile.mkdtemp(prefix=".data-", dir=folder))
        shutil.copytree(_template(find_java(), fetched(KAFKA), say), work / "data")
        os.rename(work / "data", folder / "data")
        work.rmdir()
    _configure(folder, broker, controller)


def program(folder: Path, broker: int, log: Path) -> Program:
    """Return the broker over a folder that was laid out."""
    java, jars = find_java(), fetched(KAFKA)
    return Program(
        name="kafka",
        argv=_command(java, jars, folder / "server.properties", _archive(java, jars, quiet)),
        env=_environment(),
        probe=kafka_ready(broker),
        log=log,
        port=broker,
        stop_timeout_s=10.0,
    )


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _configure(folder: Path, broker: int, controller: int) -> None:
    text = _PROPERTIES.format(broker=broker, controller=controller, data=folder / "data")
    (folder / "server.properties").write_text(text, encoding="utf-8")


def _command(java: Java, jars: Path, properties: Path, archive: Path | None) -> tuple[str, ...]:
    logging = f"-Dlog4j2.configurationFile={_HERE / 'log4j2.xml'}"
    return (
        str(java.program),
        *_FLAGS,
        *archive_flags(archive),
        logging,
        "-cp",
        class_path(jars),
        "kafka.Kafka",
        str(properties),
    )


def _template(java: Java, jars: Path, say: Say) -> Path:
    """Return a formatted log folder; the ports are not in it, so every stack can have a copy."""

    def format_folder(folder: Path) -> None:
        say("formatting the Kafka template ...")
        _configure(folder, broker=1, controller=2)
        storage = ("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(folder / "server.properties"))
        argv = [str(java.program), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", class_path(jars), *storage]
        ran = subprocess.run(argv, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise LocalStackError(f"formatting Kafka's folder failed: {(ran.stderr or ran.stdout).strip()[-500:]}")

    key = digest(KAFKA.listing.read_text(encoding="utf-8"), _CLUSTER_ID)
    return made_once("kafka-template", key, format_folder) / "data"


def _archive(java: Java, jars: Path, say: Say) -> Path | None:
    """Return the class-data archive, made at the first use by running a broker once."""

    @contextmanager
    def broker() -> Iterator[tuple[list[str], dict[str, str], Callable[[], bool]]]:
        with tempfile.TemporaryDirectory(prefix="piperoll-train-") as name:
            work = Path(name)
            shutil.copytree(_template(java, jars, quiet), work / "data")
            ports = settle_ports(work / "ports.json", ("broker", "controller"))
            _configure(work, ports["broker"], ports["controller"])
            yield (
                list(_command(java, jars, work / "server.properties", None)),
                _environment(),
                lambda: asyncio.run(kafka_ready(ports["broker"])()),
            )

    return class_data_archive("kafka", java, jars, _FLAGS, broker, say)
