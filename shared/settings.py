"""What every process reads from its environment; a service's own `config.py` adds to it."""

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic_settings import BaseSettings, SettingsConfigDict


class ProcessSettings(BaseSettings):
    """`PIPEROLL_*`. `instance` names this process among its service's workers, the same after each restart."""

    model_config = SettingsConfigDict(env_prefix="PIPEROLL_", frozen=True, extra="ignore")

    postgres_dsn: str
    kafka_bootstrap: str
    shards: int = 8
    instance: str = "1"
    http_host: str = "127.0.0.1"
    http_port: int = 0
    profile: Literal["local", "production"] = "production"
    clock_file: Path | None = None
    tenant: str = "demo"
    zone_name: str = "America/New_York"
    log_level: str = "INFO"

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the tenant's days begin and end."""
        return ZoneInfo(self.zone_name)
