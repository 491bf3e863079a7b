"""What the environment and the command line say."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Config:
    """How this program was started; `webhook_url` None sends no webhooks."""

    port: int
    state: Path
    api_key: str
    webhook_secret: str
    webhook_url: str | None
    settings: dict[str, int]
    """Settings given on the command line; they replace stored ones."""

    @property
    def site(self) -> str:
        return f"http://{HOST}:{self.port}"


def read(environment: Mapping[str, str], arguments: Sequence[str]) -> Config:
    """Read the configuration; ValueError names each variable that is missing or wrong."""
    parser = ArgumentParser(prog="python -m deploy.simulators.card", description="The card-processor simulator.")
    parser.add_argument("--fee-bps", type=int, help="fee in hundredths of a percent of each charge")
    parser.add_argument("--fee-fixed", type=int, help="fee in minor units on each charge")
    given = parser.parse_args(arguments)
    names = ("PORT", "STATE")
    needed = [f"PIPEROLL_CARD_SIM_{name}" for name in names] + ["PIPEROLL_CARD_API_KEY", "PIPEROLL_CARD_WEBHOOK_SECRET"]
    absent = [name for name in needed if not environment.get(name)]
    if absent:
        raise ValueError(f"not set: {', '.join(absent)}")
    port, state, api_key, secret = (environment[name] for name in needed)
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"PIPEROLL_CARD_SIM_PORT is not a port: {port}")
    settings = {"fee_bps": given.fee_bps, "fee_fixed_minor": given.fee_fixed}
    return Config(
        port=int(port),
        state=Path(state),
        api_key=api_key,
        webhook_secret=secret,
        webhook_url=environment.get("PIPEROLL_CARD_WEBHOOK_URL") or None,
        settings={name: value for name, value in settings.items() if value is not None},
    )
