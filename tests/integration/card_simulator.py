"""A started card simulator, the official SDK pointed at it, and a receiver of its webhooks."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import stripe
from aiohttp import web

ROOT = Path(__file__).parents[2]
KEY = "sk_test_piperoll_local"
SECRET = "whsec_piperoll_local"
READY_WITHIN_S = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Receiver:
    """Takes webhooks; answers with the statuses in `answers` first, then with 200."""

    url: str
    answers: list[int] = field(default_factory=list)
    bodies: list[tuple[bytes, str]] = field(default_factory=list)
    tried: int = 0

    async def take(self, request: web.Request) -> web.Response:
        self.tried += 1
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.bodies.append((await request.read(), request.headers["Stripe-Signature"]))
        return web.Response(status=status)

    def events(self) -> list[stripe.Event]:
        """Return what was taken, each verified by the SDK."""
        return [stripe.Webhook.construct_event(body, header, SECRET) for body, header in self.bodies]

    def kinds(self) -> list[str]:
        return [event.type for event in self.events()]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    port = free_port()
    receiver = Receiver(f"http://127.0.0.1:{port}/hooks")
    app = web.Application()
    app.router.add_post("/hooks", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class Simulator:
    """A simulator process that can be killed and started again on the same state."""

    folder: Path
    webhook_url: str | None = None
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self.http = aiohttp.ClientSession()
        self.sdk_http = stripe.AIOHTTPClient(timeout=10)
        self.stripe = stripe.StripeClient(
            KEY, base_addresses={"api": self.url}, http_client=self.sdk_http, max_network_retries=0
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def clock_file(self) -> Path:
        return self.folder / "clock"

    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "PIPEROLL_CARD_SIM_PORT": str(self.port),
            "PIPEROLL_CARD_SIM_STATE": str(self.folder / "state"),
            "PIPEROLL_CARD_API_KEY": KEY,
            "PIPEROLL_CARD_WEBHOOK_SECRET": SECRET,
            "PIPEROLL_CARD_WEBHOOK_URL": self.webhook_url or "",
            "PIPEROLL_CLOCK_FILE": str(self.clock_file),
        }
        command = (sys.executable, "-m", "deploy.simulators.card", *self.arguments)
        self.process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
        await eventually(self.healthy, READY_WITHIN_S)

    async def healthy(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, "the simulator ended"
        try:
            async with self.http.get(f"{self.url}/_sim/health") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 10)

    async def control(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        """Call an endpoint under `/_sim`; the status is 2xx unless another is named."""
        async with self.http.request(method, f"{self.url}/_sim/{path}", json=body) as answer:
            assert answer.status == status if status else answer.ok, await answer.text()
            return await answer.json()

    async def fault(self, call: str, fault: str, **more: Any) -> None:
        await self.control("POST", "faults", {"call": call, "fault": fault, **more}, 201)

    async def charges(self, payment_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.control("GET", f"charges?payment_id={payment_id}"))["data"]
        return found

    def advance(self, seconds: int) -> None:
        """Move the stack clock on."""
        before = int(self.clock_file.read_text()) if self.clock_file.exists() else 0
        self.clock_file.write_text(str(before + seconds))
        time.sleep(0.06)

    async def create(self, payment_id: str, card: str = "pm_card_visa", **more: Any) -> stripe.PaymentIntent:
        """Create an intent of 12.50 as billing does."""
        key = more.pop("key", None)
        params = {
            "amount": 1250,
            "currency": "usd",
            "payment_method": card,
            "metadata": {"payment_id": payment_id},
            **more,
        }
        intents = self.stripe.v1.payment_intents
        return await intents.create_async(params, {"idempotency_key": key} if key else None)  # type: ignore[arg-type]

    async def confirm(self, intent_id: str, key: str | None = None, **params: Any) -> stripe.PaymentIntent:
        options: Any = {"idempotency_key": key} if key else None
        return await self.stripe.v1.payment_intents.confirm_async(intent_id, params, options)  # type: ignore[arg-type]

    async def close(self) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.stop(signal.SIGKILL)
        await self.sdk_http.close_async()  # type: ignore[no-untyped-call]
        await self.http.close()


@asynccontextmanager
async def running(folder: Path, webhook_url: str | None = None, *arguments: str) -> AsyncIterator[Simulator]:
    simulator = Simulator(folder, webhook_url, arguments)
    try:
        await simulator.start()
        yield simulator
    finally:
        await simulator.close()


async def eventually(holds: Callable[[], Awaitable[bool]] | Callable[[], bool], within_s: float = 5.0) -> None:
    """Return when a condition holds; AssertionError when it does not in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        answer = holds()
        if answer if isinstance(answer, bool) else await answer:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"did not come true within {within_s} s: {holds}")
