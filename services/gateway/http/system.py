"""Health, metrics and the API document."""

import asyncio
from pathlib import Path

from services.gateway.http.call import Answer, Call, answer
from services.gateway.http.database import Reads
from shared.telemetry.health import health_of
from shared.telemetry.metrics import CONTENT_TYPE, exposition

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"
LOOK_EVERY_S = 1.0


class System:
    """Answers from memory; `run` looks at the database once a second."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self.store_answers = False
        self.draining = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.store_answers = await self._reads.answers()
            await asyncio.sleep(LOOK_EVERY_S)

    async def live(self, _call: Call) -> Answer:
        """Return 200 while the event loop turns."""
        return Answer(200, b'{"live":true}')

    async def ready(self, _call: Call) -> Answer:
        """Return 200 while requests can be committed; Kafka does not matter."""
        health = health_of({"store": self.store_answers, "open": not self.draining})
        return answer(health, 200 if health.ready else 503)

    async def metrics(self, _call: Call) -> Answer:
        """Return all metrics of this process."""
        return Answer(200, exposition(), content_type=CONTENT_TYPE.encode())

    async def openapi(self, _call: Call) -> Answer:
        """Return the committed document."""
        return Answer(200, await asyncio.to_thread(DOCUMENT.read_bytes))
