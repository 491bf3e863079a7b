"""What the gateway reads from its environment."""

from typing import Annotated

from pydantic import SecretStr, field_validator
from pydantic_settings import NoDecode

from shared.settings import OneServerSettings


class GatewaySettings(OneServerSettings):
    """`PIPEROLL_*`. HTTP processes ask Kafka only at their start; the worker never reads the rest of these.

    `card_webhook_secret` may name several, by commas, while one is being replaced. Rates are requests per minute and
    principal in one process; so are the most streams of events, of all and of each principal.
    """

    kafka_bootstrap: str = ""
    people_dsn: str = ""
    master_key_file: str = ""
    oidc_issuer: str = ""
    oidc_audience: str = "piperoll"
    card_webhook_secret: SecretStr = SecretStr("")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    member_rate_per_min: int = 1_200
    staff_rate_per_min: int = 60_000
    append_queue: int = 2_000
    most_streams: int = 500
    most_streams_each: int = 20
    min_position_wait_s: float = 5.0
    drain_s: int = 8

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _by_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    def webhook_secrets(self) -> tuple[bytes, ...]:
        """Return the secrets of which any one may have signed a webhook."""
        text = self.card_webhook_secret.get_secret_value()
        return tuple(part.strip().encode() for part in text.split(",") if part.strip())
