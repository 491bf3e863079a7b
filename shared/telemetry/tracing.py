"""W3C Trace Context as plain functions: the `traceparent` that goes from a POST through every topic to the mail."""

import re
import secrets

import msgspec

_FORM = re.compile(r"^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
SAMPLED = 1


class TraceContext(msgspec.Struct, frozen=True):
    """A place in a trace: 32 and 16 lower-case hexadecimal digits, and whether the sender recorded it."""

    trace_id: str
    span_id: str
    sampled: bool = True

    def header(self) -> str:
        """Return the `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def parse(header: str | None) -> TraceContext | None:
    """Return what a `traceparent` says; None for a missing or invalid one, which starts a new trace.

    Version ff and all-zero ids are invalid; of a later version only the four known fields are read.
    """
    found = _FORM.match((header or "").strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or trace_id == _NO_TRACE or span_id == _NO_SPAN or (version == "00" and rest):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & SAMPLED))


def new() -> TraceContext:
    """Return the root of a new trace."""
    return TraceContext(secrets.token_hex(16), secrets.token_hex(8))


def child(parent: TraceContext) -> TraceContext:
    """Return a new span in the parent's trace."""
    return TraceContext(parent.trace_id, secrets.token_hex(8), parent.sampled)


def continued(header: str | None) -> TraceContext:
    """Return a child of the caller's span, or the root of a new trace where the header names none."""
    parent = parse(header)
    return child(parent) if parent is not None else new()
