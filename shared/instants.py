"""Instants as events carry them: text, RFC 3339 in UTC with six decimals; as texts they are in order of time."""

from datetime import UTC, datetime


def text_of(moment: datetime) -> str:
    """Return a moment as an event's text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_of(text: str) -> datetime:
    """Return the moment that an event's text names."""
    return datetime.fromisoformat(text)
