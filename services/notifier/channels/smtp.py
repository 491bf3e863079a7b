"""The mail server over a few connections that stay open. Three answers: taken, refused for good, not now."""

import asyncio
import time
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from shared.errors import PiperollError, WorldFault

IDLE_S = 30.0

Tls = Literal["auto", "starttls", "tls", "off"]


class MailRefused(PiperollError):
    """The server will never take this mail: `code` is its 5xx answer to the recipient or the content."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the mail server refused the mail for good: {code}")
        self.code = code


class MailNotTaken(WorldFault):
    """Not taken now, or not known to be taken: try again under the same Message-ID."""


@dataclass(frozen=True)
class SmtpServer:
    """Where and how to connect. `tls` auto: STARTTLS where it is offered."""

    host: str
    port: int
    connections: int = 8
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 30.0
    tls: Tls = "auto"
    username: str | None = None
    password: str | None = None


class SmtpMailer:
    """Sends over at most `server.connections` connections; each is made when needed and kept for 30 s of idleness."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._free = asyncio.Semaphore(server.connections)
        self._idle: list[tuple[float, aiosmtplib.SMTP]] = []

    async def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Return once the server has taken the mail. Errors: MailRefused, MailNotTaken."""
        async with self._free:
            client = self._kept()
            if client is not None:
                try:
                    return await self._send_over(client, sender, recipient, message)
                except aiosmtplib.SMTPServerDisconnected:
                    client.close()  # the server had enough of an idle connection: a new one is no second try
            return await self._send_over(await self._connected(), sender, recipient, message, last=True)

    async def close(self) -> None:
        """Say goodbye on idle connections; a later mail connects again."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(client.quit(timeout=1.0) for _, client in idle), return_exceptions=True)

    async def _send_over(
        self, client: aiosmtplib.SMTP, sender: str, recipient: str, message: bytes, *, last: bool = False
    ) -> None:
        keep = False
        try:
            await client.sendmail(sender, [recipient], message)
            keep = True
        except aiosmtplib.SMTPRecipientsRefused as error:
            keep = True
            raise _answer(error.recipients[0].code) from error
        except aiosmtplib.SMTPDataError as error:
            raise _answer(error.code) from error
        except aiosmtplib.SMTPServerDisconnected as error:
            if not last:
                raise
            raise MailNotTaken("the mail server hung up") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailNotTaken(f"the mail server did not take the mail: {_said(error)}") from error
        finally:
            if keep:
                self._idle.append((time.monotonic(), client))
            else:
                client.close()

    def _kept(self) -> aiosmtplib.SMTP | None:
        while self._idle:
            since, client = self._idle.pop()
            if client.is_connected and time.monotonic() - since < IDLE_S:
                return client
            client.close()
        return None

    async def _connected(self) -> aiosmtplib.SMTP:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=server.connect_timeout_s,
            use_tls=server.tls == "tls",
            start_tls={"auto": None, "starttls": True}.get(server.tls, False),
            username=server.username,
            password=server.password,
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise MailNotTaken(f"no connection to the mail server: {_said(error)}") from error
        client.timeout = server.answer_timeout_s
        return client


def _answer(code: int) -> PiperollError:
    return MailRefused(code) if code >= 500 else MailNotTaken(f"the mail server answered {code}")


def _said(error: Exception) -> str:
    """Return kind and code only: what a server says may quote the address."""
    code = getattr(error, "code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"
