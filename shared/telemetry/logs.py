"""Structured logs: one JSON object a line, with service, instance, correlation and trace, and no personal data.

What may not be logged is named by key: a value under such a key is replaced wherever it stands, however deep. Ids of
ours, amounts and stable words are what a log line is made of.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, merge_contextvars
from structlog.typing import EventDict, WrappedLogger

from shared.telemetry.tracing import TraceContext

HIDDEN = "[hidden]"
_PERSONAL = frozenset(
    {
        *("name", "first_name", "last_name", "full_name", "display_name", "birth_date", "date_of_birth", "ssn"),
        *("email", "e_mail", "mail_to", "to_address", "recipient", "recipients", "phone", "mobile"),
        *("address", "street", "city", "zip", "postcode", "iban", "pan", "card", "card_number", "cvc", "cvv"),
        *("token", "access_token", "id_token", "refresh_token", "client_secret", "secret", "password", "passwd"),
        *("authorization", "cookie", "set_cookie", "api_key", "apikey", "signature", "sub", "subject"),
        *("body", "text", "message_text", "html", "payload", "value", "data"),
    }
)
_MAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}")
_BEARER = re.compile(r"(?i)\bbearer\s+[\w.~+/=-]+")
_SECRET_KEY = re.compile(
    r"\b(?:sk|rk|whsec|pi)_[A-Za-z0-9_]*secret[A-Za-z0-9_]*|\b(?:sk|rk)_(?:test|live)_\w+|\bwhsec_\w+"
)
_CARD = re.compile(r"\b(?:\d[ -]?){13,19}\b")
_TOO_DEEP = 8
_SELDOM_S = 10.0


def configure(service: str, instance: str, level: str | None = None) -> None:
    """Send structlog's and the standard library's records to stdout as JSON; `PIPEROLL_LOG_LEVEL` or INFO."""
    shown = level or os.environ.get("PIPEROLL_LOG_LEVEL", "INFO")
    shared: list[Any] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(service, instance),
        scrub,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_to_json),
            ],
        )
    )
    handler.addFilter(_Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(shown.upper())
    for chatty in ("aiokafka", "uvicorn.access", "httpx", "stripe", "faststream"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a module's logger: `log.info("batch_stored", shard=3, events=12)`, a past-tense word and its ids."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


@contextmanager
def about(correlation: str | None = None, trace: TraceContext | None = None, **ids: str | int) -> Iterator[None]:
    """Put correlation, trace and further ids on every line written inside."""
    fields: dict[str, Any] = dict(ids)
    if correlation is not None:
        fields["correlation"] = correlation
    if trace is not None:
        fields["trace_id"], fields["span_id"] = trace.trace_id, trace.span_id
    with bound_contextvars(**fields):
        yield


def remember(**ids: str | int) -> None:
    """Put ids on every later line of this task."""
    bind_contextvars(**ids)


def scrub(_logger: WrappedLogger | None, _method: str, event: EventDict) -> EventDict:
    """Replace values under personal keys, and mail addresses, card numbers and secrets inside texts."""
    return {key: HIDDEN if _is_personal(key) else _clean(value, 0) for key, value in event.items()}


def _is_personal(key: str) -> bool:
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")
    return word in _PERSONAL or word.endswith(("_token", "_secret", "_password", "_email", "_phone", "_name_text"))


def _clean(value: Any, depth: int) -> Any:
    match value:
        case str():
            return _clean_text(value)
        case bool() | int() | float() | None:
            return value
        case bytes():
            return f"[{len(value)} bytes]"
        case _ if depth >= _TOO_DEEP:
            return "[too deep]"
        case Mapping():
            return {str(k): HIDDEN if _is_personal(str(k)) else _clean(v, depth + 1) for k, v in value.items()}
        case Sequence() | set() | frozenset():
            return [_clean(item, depth + 1) for item in value]
        case _:
            return _clean_text(str(value))


def _clean_text(text: str) -> str:
    if "@" in text:
        text = _MAIL.sub(HIDDEN, text)
    text = _BEARER.sub(HIDDEN, text)
    text = _SECRET_KEY.sub(HIDDEN, text)
    return _CARD.sub(_hidden_if_card, text)


def _hidden_if_card(found: re.Match[str]) -> str:
    digits = [int(sign) for sign in found.group() if sign.isdigit()]
    doubled = [sum(divmod(digit * 2, 10)) if i % 2 else digit for i, digit in enumerate(reversed(digits))]
    return HIDDEN if sum(doubled) % 10 == 0 else found.group()


class _Seldom(logging.Filter):
    """Lets a client library say the same thing once in 10 s; aiokafka without a broker says it 60 times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("aiokafka", "psycopg.pool")):
            return True
        key = (record.name, str(record.msg))
        due = record.created - self._said.get(key, 0.0) >= _SELDOM_S
        if due:
            self._said[key] = record.created
        return due


def _named(service: str, instance: str) -> Any:
    def add(_logger: WrappedLogger | None, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"], event["instance"] = service, instance
        return event

    return add


def _to_json(event: EventDict, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
