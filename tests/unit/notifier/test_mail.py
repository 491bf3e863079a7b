"""A mail's bytes: what the standard parser reads back is what was meant, whatever stands in a name."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import msgspec
import pytest

from services.notifier.channels.mail import Mail, Undeliverable, address, compose
from services.notifier.channels.render import Text

MAIL = Mail(
    message_id="ntc_3_0a@piperoll.invalid",
    sender="no-reply@piperoll.invalid",
    sender_name="Health Exchange",
    recipient="zoe@example.org",
    recipient_name="Zoë Amaru",
    date=datetime(2026, 3, 1, 12, tzinfo=UTC),
    text=Text("es", "Recibo: su pago de $312.50, acción", "Hola Zoë:\n.\nadiós = 1\n" + "ñ" * 200, "<p>Hola Zoë</p>\n"),
    trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
)


def parsed(mail: Mail) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(compose(mail), policy=cast(Any, policy.default)))


def test_headers_are_read_back_as_they_were_meant() -> None:
    message = parsed(MAIL)
    assert message["Message-ID"] == "<ntc_3_0a@piperoll.invalid>"
    assert message["Content-Language"] == "es"
    assert message["Subject"] == MAIL.text.subject
    assert message["Date"].datetime == MAIL.date
    assert message["To"].addresses[0].display_name == "Zoë Amaru"
    assert message["To"].addresses[0].addr_spec == "zoe@example.org"
    assert message["From"].addresses[0].addr_spec == "no-reply@piperoll.invalid"
    assert message["Traceparent"] == MAIL.trace
    assert not message.defects


def test_both_parts_are_read_back_as_they_were_meant() -> None:
    message = parsed(MAIL)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == MAIL.text.plain
    assert html.get_content().replace("\r\n", "\n").strip() == MAIL.text.html.strip()


def test_all_lines_end_in_crlf_and_fit_the_wire() -> None:
    data = compose(MAIL)
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
    assert data.isascii()


def test_the_same_mail_gives_the_same_bytes() -> None:
    assert compose(MAIL) == compose(MAIL)


@pytest.mark.parametrize("name", ["Zoe\r\nBcc: all@example.org", 'a" <x@y.z>, "b', "Zoë\nBcc: x@y.z", "é" * 300, ""])
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    message = parsed(msgspec.structs.replace(MAIL, recipient_name=name))
    assert message["Bcc"] is None
    assert [one.addr_spec for one in message["To"].addresses] == ["zoe@example.org"]
    assert not message.defects


@pytest.mark.parametrize(
    "text",
    ["", "zoe", "@example.org", "a@b@c", "a b@example.org", "a@b\r\nRCPT TO:<x@y.z>", "ä@example.org", "a@..", "<a@b>"],
)
def test_what_is_no_address_is_undeliverable(text: str) -> None:
    with pytest.raises(Undeliverable):
        address(text)


@pytest.mark.parametrize(
    ("text", "wire"), [("zoe+x@example.org", "zoe+x@example.org"), (" z@bücher.example ", "z@xn--bcher-kva.example")]
)
def test_an_address_goes_on_the_wire_with_an_ascii_domain(text: str, wire: str) -> None:
    assert address(text) == wire
