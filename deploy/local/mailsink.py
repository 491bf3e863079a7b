"""The mail sink: takes every mail by SMTP, keeps it as a file, lists them by HTTP. `python -m deploy.local.mailsink`.

A mail is acknowledged after it is on disk and in the index, so a sink that is killed has either taken it or not. The
index counts a Message-ID that came again; it stays one mail.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.clock import Clock, clock_from

HOST = "127.0.0.1"
_HEADERS = BytesHeaderParser()


@dataclass(frozen=True)
class Mail:
    """One mail as `GET /mails` shows it; `copies` is how often its Message-ID came."""

    message_id: str
    to: str
    subject: str
    language: str | None
    received_at: str
    file: str
    copies: int = 1


class Mailbox:
    """The mails in one folder: a file each, and a line of `index.jsonl` for each time one came."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._mails: dict[str, Mail] = {}
        self._index = folder / "index.jsonl"
        self._load()
        self._lines = self._index.open("a", encoding="utf-8")

    def mails(self) -> list[Mail]:
        """Return all, in the order in which they first came."""
        return list(self._mails.values())

    def take(self, recipients: list[str], content: bytes) -> Mail:
        """Keep one mail; a known Message-ID only adds to its copies."""
        headers = _HEADERS.parsebytes(content)
        message_id = str(headers["Message-ID"] or "").strip() or f"<{hashlib.sha256(content).hexdigest()}@no-id>"
        mail = Mail(
            message_id=message_id,
            to=", ".join(recipients),
            subject=str(make_header(decode_header(str(headers["Subject"] or "")))),
            language=str(headers["Content-Language"]).strip() if headers["Content-Language"] else None,
            received_at=self._clock.now().isoformat(),
            file=f"{hashlib.sha256(message_id.encode()).hexdigest()[:32]}.eml",
        )
        self._keep(mail.file, content)
        self._lines.write(json.dumps(asdict(mail)) + "\n")
        self._lines.flush()
        return self._count(mail)

    def _keep(self, name: str, content: bytes) -> None:
        target = self._folder / name
        if not target.exists():
            work = target.with_suffix(".part")
            work.write_bytes(content)
            work.replace(target)

    def _count(self, mail: Mail) -> Mail:
        known = self._mails.get(mail.message_id)
        counted = replace(known, copies=known.copies + 1) if known else mail
        self._mails[mail.message_id] = counted
        return counted

    def _load(self) -> None:
        """Read the index; a last line cut off by a kill was never acknowledged and is removed."""
        if not self._index.exists():
            return
        whole, newline, _ = self._index.read_bytes().rpartition(b"\n")
        for line in whole.splitlines():
            self._count(Mail(**json.loads(line)))
        with self._index.open("r+b") as index:
            index.truncate(len(whole) + len(newline))


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        mail = self._mailbox.take(
            [str(recipient) for recipient in envelope.rcpt_tos],
            content.encode() if isinstance(content, str) else bytes(content or b""),
        )
        print(f"{mail.received_at} {mail.message_id} copies={mail.copies}", flush=True)
        return "250 2.0.0 kept"


async def serve(mailbox: Mailbox, smtp_port: int, http_port: int) -> None:
    """Take mails and list them until SIGTERM or SIGINT."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_page(request.split(b" ", 2)[1].decode("latin-1"), mailbox))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            pass
        finally:
            writer.close()

    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    handler = _Handler(mailbox)
    smtp = await loop.create_server(lambda: SMTP(handler, hostname="localhost", loop=loop), HOST, smtp_port)
    http = await asyncio.start_server(answer, HOST, http_port)
    print(f"SMTP on {HOST}:{smtp_port}, mails on http://{HOST}:{http_port}/mails", flush=True)
    await stopped.wait()
    smtp.close()
    http.close()


def _page(path: str, mailbox: Mailbox) -> bytes:
    match path.partition("?")[0]:
        case "/mails":
            return _json("200 OK", [asdict(mail) for mail in mailbox.mails()])
        case "/healthz/live" | "/healthz/ready":
            return _json("200 OK", {"ready": True, "mails": len(mailbox.mails())})
        case _:
            return _json("404 Not Found", {"title": "not found"})


def _json(status: str, value: Any) -> bytes:
    body = json.dumps(value, ensure_ascii=False).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    return head.encode() + b"\r\n\r\n" + body


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Run the sink that the environment describes."""
    folder = Path(environment["PIPEROLL_MAIL_FOLDER"])
    folder.mkdir(parents=True, exist_ok=True)
    mailbox = Mailbox(folder, clock_from(dict(environment)))
    uvloop.run(serve(mailbox, int(environment["PIPEROLL_SMTP_PORT"]), int(environment["PIPEROLL_HTTP_PORT"])))


if __name__ == "__main__":
    main()
