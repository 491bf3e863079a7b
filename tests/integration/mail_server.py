"""An SMTP server for tests: keeps what it takes, answers otherwise when told to, and can go away and come back."""

import asyncio
import socket
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailServer:
    """`answers_to_rcpt` and `answers_to_data` are given first, in order; then everything is taken."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []
        self.answers_to_rcpt: list[str] = []
        self.answers_to_data: list[str] = []
        self.sessions: set[int] = set()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._open: set[SMTP] = set()

    async def start(self) -> None:
        def connection() -> SMTP:
            smtp = SMTP(self, hostname="localhost", loop=asyncio.get_running_loop())
            self._open.add(smtp)
            return smtp

        self._server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Go away: no new connections, and the old ones are cut."""
        if self._server is not None:
            self._server.close()
        for smtp in self._open:
            if isinstance(smtp.transport, asyncio.WriteTransport):
                smtp.transport.abort()
        self._open.clear()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers_to_rcpt:
            return self.answers_to_rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers_to_data:
            return self.answers_to_data.pop(0)
        self.sessions.add(id(session))
        content = cast(bytes, envelope.content)
        message = message_from_bytes(content, policy=cast(Any, policy.default))
        self.taken.append((envelope.rcpt_tos[0], cast(EmailMessage, message)))
        return "250 OK"
