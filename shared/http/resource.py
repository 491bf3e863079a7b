"""What all answers are made of; the same structs make the JSON and the OpenAPI schemas."""

from typing import Annotated

import msgspec
from msgspec import Meta

Instant = Annotated[str, Meta(description="RFC 3339 instant in UTC", extra_json_schema={"format": "date-time"})]
Day = Annotated[str, Meta(description="Civil date", extra_json_schema={"format": "date"})]
Minor = Annotated[int, Meta(description="Whole minor units (cents)")]
Position = Annotated[str, Meta(description="Where this stands, `gateway.3.17`; give it back as `min_position`")]
Reason = Annotated[str | None, Meta(description="Why, as a code of the catalogue of errors; else null")]
Next = Annotated[str | None, Meta(description="The `cursor` of the next page; null at the end")]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that is answered."""


class Amount(Resource, frozen=True, kw_only=True):
    minor: Minor
    currency: str


encode = msgspec.json.Encoder().encode
