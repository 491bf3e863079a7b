"""One trace from the POST to the mail."""

from email import message_from_bytes

import psycopg

from shared.contracts.topics import SERVICES
from tests.flow.conftest import Portal, payment

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_the_traceparent_of_a_post_goes_through_every_log_to_the_mail(portal: Portal) -> None:
    account_id, email = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    headers = {"Idempotency-Key": f"trace-{account_id}", "Traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    reply = await member._once("POST", "/v1/payments", payment(account_id, invoice_id, due), headers)
    assert (await portal.final(member, reply.body["payment_id"]))["status"] == "settled"
    mail = await portal.mail_to(email)
    (file,) = portal.stack.state.mail.rglob(mail["file"])
    assert TRACE_ID in (message_from_bytes(file.read_bytes())["Traceparent"] or "")
    for service in SERVICES:
        with psycopg.connect(portal.stack.dsn(service)) as log:
            found = log.execute("SELECT count(*) FROM event WHERE trace LIKE %s", (f"00-{TRACE_ID}-%",)).fetchone()
        assert found is not None
        assert found[0] > 0, f"{service}'s log does not know the trace"
