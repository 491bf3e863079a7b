"""The parameters of a call: form-encoded, nested by `a[b]` and `a[0]`, checked by name and type."""

from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from deploy.simulators.card.errors import Invalid

LONGEST_TEXT = 5_000
METADATA_KEYS, METADATA_KEY, METADATA_VALUE = 50, 40, 500
NOTHING: frozenset[str] = frozenset()


class Span(Struct, frozen=True):
    """A range of seconds, both ends included."""

    first: int | None = None
    last: int | None = None


class Parameters:
    """A call's parameters as they were sent; every reader raises `Invalid` for a value of the wrong kind."""

    def __init__(self, text: str) -> None:
        self.pairs = parse_qsl(text, keep_blank_values=True) if text else []
        self.fields: dict[str, Any] = {}
        for name, value in self.pairs:
            self._put(name, value)

    def _put(self, name: str, value: str) -> None:
        if "[" not in name:
            self.fields[name] = value
            return
        parts = name.replace("]", "").split("[")
        inside = self.fields
        for part in parts[:-1]:
            deeper = inside.setdefault(part, {})
            if not isinstance(deeper, dict):
                raise Invalid(f"Invalid {name}", param=name)
            inside = deeper
        inside[parts[-1] or str(len(inside))] = value

    def only(self, takes: frozenset[str], unsupported: frozenset[str] = NOTHING) -> None:
        """Refuse names that the call does not have, and those the processor has and this simulator does not."""
        strangers = [name for name in self.fields if name not in takes]
        for name in strangers:
            if name in unsupported:
                raise Invalid(f"The card simulator does not support the parameter {name}.", param=name)
        if strangers:
            plural = "s" if len(strangers) > 1 else ""
            names = ", ".join(strangers)
            raise Invalid(f"Received unknown parameter{plural}: {names}", "parameter_unknown", strangers[0])

    def text(self, name: str, longest: int = LONGEST_TEXT) -> str | None:
        value = self.fields.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise Invalid("Invalid string: a hash was given", param=name)
        if len(value) > longest:
            raise Invalid(f"Invalid string: {name} must be at most {longest} characters", param=name)
        return value

    def integer(self, name: str, least: int, most: int) -> int | None:
        value = self.fields.get(name)
        if value is None:
            return None
        return _integer(name, value, least, most)

    def flag(self, name: str) -> bool:
        value = self.fields.get(name, "false")
        if value not in ("true", "false"):
            raise Invalid(f"Invalid boolean: {value}", param=name)
        return bool(value == "true")

    def choice(self, name: str, choices: frozenset[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            raise Invalid(f"Invalid {name}: must be one of {', '.join(sorted(choices))}", param=name)
        return value

    def metadata(self) -> dict[str, str]:
        value = self.fields.get("metadata") or {}
        if not isinstance(value, dict):
            raise Invalid("Invalid hash", param="metadata")
        if len(value) > METADATA_KEYS:
            raise Invalid(f"Metadata cannot have more than {METADATA_KEYS} keys", param="metadata")
        for key, text in value.items():
            if not isinstance(text, str) or len(key) > METADATA_KEY or len(text) > METADATA_VALUE:
                raise Invalid(f"Invalid metadata: {key}", param=f"metadata[{key}]")
        return {key: text for key, text in value.items() if text}

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.fields.get(name)
        if value is None:
            return ()
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise Invalid("Invalid array", param=name)
        return tuple(value.values())

    def hash(self, name: str, keys: frozenset[str]) -> dict[str, str]:
        """Return an inner hash of plain values with no other keys than these."""
        value = self.fields.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise Invalid("Invalid hash", param=name)
        for key, text in value.items():
            if key not in keys or not isinstance(text, str):
                inner = f"{name}[{key}]"
                raise Invalid(f"Received unknown parameter: {inner}", "parameter_unknown", inner)
        return dict(value)

    def span(self, name: str) -> Span:
        """Return `name=SECOND` or `name[gt|gte|lt|lte]=SECOND` as a range."""
        value = self.fields.get(name)
        if isinstance(value, str):
            at = _integer(name, value, 0, 1 << 62)
            return Span(at, at)
        given = {
            key: _integer(f"{name}[{key}]", text, 0, 1 << 62)
            for key, text in self.hash(name, frozenset({"gt", "gte", "lt", "lte"})).items()
        }
        firsts = [given[key] + extra for key, extra in (("gte", 0), ("gt", 1)) if key in given]
        lasts = [given[key] - extra for key, extra in (("lte", 0), ("lt", 1)) if key in given]
        return Span(max(firsts, default=None), min(lasts, default=None))


def _integer(name: str, value: object, least: int, most: int) -> int:
    if not isinstance(value, str) or not value.removeprefix("-").isdecimal() or not value.isascii():
        raise Invalid(f"Invalid integer: {value}", "parameter_invalid_integer", name)
    number = int(value)
    if number < least:
        text = f"This value must be greater than or equal to {least}."
        raise Invalid(text, "parameter_invalid_integer", name)
    if number > most:
        raise Invalid(f"This value must be less than or equal to {most}.", "parameter_invalid_integer", name)
    return number


def required(name: str) -> Invalid:
    return Invalid(f"Missing required param: {name}.", "parameter_missing", name)
