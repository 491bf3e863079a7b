"""What every process reads from its environment; a service's own `config.py` adds to it."""

from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.postgres.placement import Placement


class ProcessSettings(BaseSettings):
    """`PIPEROLL_*`. `instance` names this process among its service's workers, the same after each restart.
    `inbox_pause_s` after each poll of the topics lets more records come together.

    The shards lie on the server of `postgres_dsn`, or on several by `postgres_dsns`, a JSON object of shards and
    connection strings: `{"0-3": "host=a dbname=piperoll_ledger", "4-7": "host=b dbname=piperoll_ledger"}`.
    """

    model_config = SettingsConfigDict(env_prefix="PIPEROLL_", frozen=True, extra="ignore", hide_input_in_errors=True)

    postgres_dsn: str = ""
    postgres_dsns: dict[str, str] = Field(default={}, repr=False)
    kafka_bootstrap: str
    shards: int = Field(default=8, ge=1)
    inbox_pause_s: float = Field(default=0.0, ge=0, le=1)
    instance: str = "1"
    http_host: str = "127.0.0.1"
    http_port: int = 0
    profile: Literal["local", "production"] = "production"
    clock_file: Path | None = None
    tenant: str = "demo"
    zone_name: str = "America/New_York"
    log_level: str = "INFO"

    @model_validator(mode="after")
    def _placed(self) -> Self:
        named = "postgres_dsn" in self.model_fields_set
        if (self.postgres_dsn and self.postgres_dsns) or not (named or self.postgres_dsns):
            raise ValueError("name either one server in PIPEROLL_POSTGRES_DSN or several in PIPEROLL_POSTGRES_DSNS")
        try:
            self.placement  # noqa: B018
        except ValueError as error:
            raise ValueError(f"PIPEROLL_POSTGRES_DSNS: {error}") from error
        return self

    @property
    def placement(self) -> Placement:
        """Which server holds each shard."""
        if self.postgres_dsns:
            return Placement.of(self.postgres_dsns, self.shards)
        return Placement.on_one(self.postgres_dsn, self.shards)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the tenant's days begin and end."""
        return ZoneInfo(self.zone_name)


class OneServerSettings(ProcessSettings):
    """For a process that commits or answers over all shards at once: it takes no map."""

    @field_validator("postgres_dsns")
    @classmethod
    def _on_one_server(cls, value: dict[str, str]) -> dict[str, str]:
        if value:
            raise ValueError("this process works over all shards at once: they lie on the one of PIPEROLL_POSTGRES_DSN")
        return value
