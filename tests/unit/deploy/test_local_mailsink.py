"""The mail sink keeps each mail once and survives being killed."""

from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from deploy.local.mailsink import Mailbox
from shared.clock import ManualClock

CLOCK = ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


def mail(message_id: str | None, subject: str = "Recibo de su pago, señora Ñ") -> bytes:
    message = EmailMessage()
    message.set_content("¡Gracias!")
    if message_id:
        message["Message-ID"] = message_id
    message["Subject"] = subject
    message["Content-Language"] = "es"
    return bytes(message)


def test_a_mail_is_kept_as_it_came(tmp_path: Path) -> None:
    kept = Mailbox(tmp_path, CLOCK).take(["ana@example.org"], mail("<1@piperoll>"))
    assert (kept.message_id, kept.to, kept.language) == ("<1@piperoll>", "ana@example.org", "es")
    assert kept.subject == "Recibo de su pago, señora Ñ"
    assert kept.received_at == "2026-03-01T12:00:00+00:00"
    assert (tmp_path / kept.file).read_bytes() == mail("<1@piperoll>")


def test_a_message_id_that_comes_again_is_one_mail(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path, CLOCK)
    for _ in range(3):
        mailbox.take(["ana@example.org"], mail("<1@piperoll>"))
    mailbox.take(["ana@example.org"], mail("<2@piperoll>"))
    assert [(kept.message_id, kept.copies) for kept in mailbox.mails()] == [("<1@piperoll>", 3), ("<2@piperoll>", 1)]
    assert len(list(tmp_path.glob("*.eml"))) == 2


def test_a_sink_that_starts_again_knows_its_mails(tmp_path: Path) -> None:
    first = Mailbox(tmp_path, CLOCK)
    first.take(["ana@example.org"], mail("<1@piperoll>"))
    first.take(["ana@example.org"], mail("<1@piperoll>"))
    assert Mailbox(tmp_path, CLOCK).mails() == first.mails()


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path: Path) -> None:
    Mailbox(tmp_path, CLOCK).take(["ana@example.org"], mail("<1@piperoll>"))
    with (tmp_path / "index.jsonl").open("a") as index:
        index.write('{"message_id": "<2@pip')
    again = Mailbox(tmp_path, CLOCK)
    again.take(["ana@example.org"], mail("<3@piperoll>"))
    assert [kept.message_id for kept in Mailbox(tmp_path, CLOCK).mails()] == ["<1@piperoll>", "<3@piperoll>"]


def test_mails_without_an_id_are_told_apart_by_content(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path, CLOCK)
    for subject in ("one", "one", "two"):
        mailbox.take(["ana@example.org"], mail(None, subject))
    assert [kept.copies for kept in mailbox.mails()] == [2, 1]
