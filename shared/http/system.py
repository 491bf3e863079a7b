"""Health, metrics and the API document."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from shared.http.call import Answer, Call, answer
from shared.telemetry.health import health_of
from shared.telemetry.metrics import CONTENT_TYPE, exposition

DOCS = Path(__file__).resolve().parents[2] / "docs"
LOOK_EVERY_S = 1.0


class System:
    """Answers from memory; `run` asks once a second whether the database answers. `document` is a file in docs/."""

    def __init__(self, answers: Callable[[], Awaitable[bool]], document: str) -> None:
        self._answers = answers
        self._document = DOCS / document
        self.store_answers = False
        self.draining = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.store_answers = await self._answers()
            await asyncio.sleep(LOOK_EVERY_S)

    async def live(self, _call: Call) -> Answer:
        """Return 200 while the event loop turns."""
        return Answer(200, b'{"live":true}')

    async def ready(self, _call: Call) -> Answer:
        """Return 200 while the database answers and we are not ending; Kafka does not matter."""
        health = health_of({"store": self.store_answers, "open": not self.draining})
        return answer(health, 200 if health.ready else 503)

    async def metrics(self, _call: Call) -> Answer:
        """Return all metrics of this process."""
        return Answer(200, exposition(), content_type=CONTENT_TYPE.encode())

    async def openapi(self, _call: Call) -> Answer:
        """Return the committed document."""
        return Answer(200, await asyncio.to_thread(self._document.read_bytes))
