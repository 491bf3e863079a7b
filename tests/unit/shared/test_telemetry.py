"""Metrics are well named, logs hold no personal data, trace context is W3C's, health answers from memory."""

import asyncio
import json
import logging
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.telemetry import metrics, tracing
from shared.telemetry.health import HealthServer, ShardHealth, health_of
from shared.telemetry.logs import HIDDEN, about, configure, logger, scrub
from shared.telemetry.metrics import METRICS, exposition
from shared.telemetry.page import metrics_page
from shared.telemetry.tracing import TraceContext

EXAMPLE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_every_metric_has_a_well_formed_name_of_its_own_and_a_meaning() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"piperoll_[a-z][a-z0-9_]*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.unit != "seconds" or metric.name.endswith(("_seconds", "_seconds_total")), metric.name
        assert metric.meaning
        assert metric.unit


def test_every_metric_is_moved_by_some_code() -> None:
    names = re.findall(r"^([A-Z_]+) = _(?:counter|gauge|histogram)\(", Path(metrics.__file__).read_text(), re.MULTILINE)
    root = Path(metrics.__file__).parents[2]
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("services", "shared")
        for path in (root / folder).rglob("*.py")
        if path != Path(metrics.__file__)
    )
    assert len(names) == len(metrics.METRICS)
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []


def test_no_label_is_an_id_of_a_person_an_account_or_a_payment() -> None:
    labels = {label for metric in METRICS for label in metric.labels}
    assert not labels & {"account", "account_id", "member", "payment", "payment_id", "key"} - {"account"}
    assert [metric.name for metric in METRICS if "account" in metric.labels] == ["piperoll_unexplained_minor"]


def test_every_metric_is_served_and_documented() -> None:
    served, page = exposition().decode(), metrics_page()
    for metric in METRICS:
        assert f"# HELP {metric.name}" in served
        assert f"| `{metric.name}` |" in page


@pytest.mark.parametrize(
    "key", ["email", "name", "first_name", "token", "Authorization", "accessToken", "api-key", "client_secret", "body"]
)
def test_a_value_under_a_personal_key_is_hidden_however_deep(key: str) -> None:
    event = {"event": "x", key: "Jane", "deep": {"list": [{key: "Jane"}]}}
    cleaned = scrub(None, "info", event)
    assert cleaned[key] == HIDDEN
    assert cleaned["deep"]["list"][0][key] == HIDDEN


@pytest.mark.parametrize(
    "text",
    [
        "mail to jane.doe@example.org bounced",
        "header was Bearer eyJhbGciOi.eyJzdWIi.c2ln",
        "card 4242 4242 4242 4242 declined",
        "key sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "secret whsec_abcdef0123456789",
    ],
)
def test_personal_data_inside_a_text_is_hidden(text: str) -> None:
    cleaned = scrub(None, "info", {"event": text})["event"]
    assert HIDDEN in cleaned
    assert not re.search(r"jane|eyJ|4242 4242|4eC39|abcdef01", cleaned)


def test_ids_amounts_and_words_stay() -> None:
    event = {"event": "batch_stored", "shard": 3, "account": "acc_9x2", "amount_minor": 21240, "ok": True, "none": None}
    assert scrub(None, "info", dict(event)) == event


VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=6))
def test_whatever_is_logged_can_be_written_as_json(event: dict[str, Any]) -> None:
    json.dumps(scrub(None, "info", event))


@pytest.fixture
def root_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_names_service_instance_correlation_and_trace(
    root_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("billing", "billing-1")
    trace = tracing.new()
    with about("req_1", trace):
        logger("test").info("batch_stored", shard=3, email="jane@example.org")
        logging.getLogger("library").warning("said %s", "this", extra={"token": "t"})
    ours, library = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    for line in (ours, library):
        assert (line["service"], line["instance"], line["correlation"]) == ("billing", "billing-1", "req_1")
        assert line["trace_id"] == trace.trace_id
        assert line["timestamp"].endswith("Z")
    assert (ours["event"], ours["shard"], ours["email"]) == ("batch_stored", 3, HIDDEN)
    assert (library["event"], library["token"], library["level"]) == ("said this", HIDDEN, "warning")


def test_a_traceparent_is_read_and_written_as_w3c_says() -> None:
    context = tracing.parse(EXAMPLE)
    assert context == TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)
    assert context.header() == EXAMPLE
    later = tracing.parse(EXAMPLE.replace("00-", "01-", 1) + "-what-may-come")
    assert later == context


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        EXAMPLE.upper(),
        EXAMPLE.replace("00-", "ff-", 1),
        EXAMPLE + "-extra",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)
def test_an_invalid_traceparent_starts_a_new_trace(header: str | None) -> None:
    assert tracing.parse(header) is None
    assert tracing.parse(tracing.continued(header).header()) is not None


def test_a_child_stays_in_its_trace_and_keeps_the_sampling_decision() -> None:
    parent = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", False)
    child = tracing.child(parent)
    assert (child.trace_id, child.sampled) == (parent.trace_id, False)
    assert child.span_id != parent.span_id


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_health_says_live_ready_and_metrics() -> None:
    checks = {"store": True, "kafka": False}
    port = free_port()
    server = HealthServer(
        "127.0.0.1", port, lambda: True, lambda: health_of(checks, {3: ShardHealth(7, 2, 6)}, {"billing.events.v1": 1})
    )
    await server.start()
    try:
        url = f"http://127.0.0.1:{port}"
        assert await asyncio.to_thread(get, f"{url}/healthz/live") == (200, '{"live":true}')
        status, body = await asyncio.to_thread(get, f"{url}/healthz/ready")
        assert status == 503
        assert json.loads(body) == {
            "ready": False,
            "checks": checks,
            "shards": {"3": {"position": 7, "epoch": 2, "relay": 6}},
            "lag": {"billing.events.v1": 1},
        }
        checks["kafka"] = True
        assert (await asyncio.to_thread(get, f"{url}/healthz/ready"))[0] == 200
        assert "piperoll_relay_lag" in (await asyncio.to_thread(get, f"{url}/metrics"))[1]
        assert (await asyncio.to_thread(get, f"{url}/else"))[0] == 404
    finally:
        await server.stop()


async def test_a_port_in_use_is_an_error_not_an_exit() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = HealthServer("127.0.0.1", taken.getsockname()[1], lambda: True, lambda: health_of({}))
        with pytest.raises(OSError, match="could not be taken"):
            await server.start()
