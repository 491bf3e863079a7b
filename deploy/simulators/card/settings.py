"""What can be changed while it runs: fees, delays, which events are sent; durable."""

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import Struct, structs

from deploy.simulators.card.books import Terms
from deploy.simulators.card.store import Store

DEFAULT_EVENTS = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.requires_action",
    "charge.succeeded",
    "charge.refunded",
    "refund.updated",
    "refund.failed",
    "charge.dispute.*",
    "payout.*",
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /_sim/settings` (any part of it) and of its answer.

    `available_after_days`: 0 is at once. `payout_every_day`: what is available when a day of `payout_zone` begins.
    `enabled_events` are kinds, or families as `charge.dispute.*`, or `*` for all.
    """

    fee_bps: int = 0
    fee_fixed_minor: int = 0
    dispute_fee_minor: int = 0
    minimum_amount: int = 1
    refund_delay_s: float = 5.0
    payout_delay_s: float = 5.0
    available_after_days: int = 2
    payout_every_day: bool = False
    payout_zone: str = "UTC"
    enabled_events: tuple[str, ...] = DEFAULT_EVENTS


class Current:
    """The settings in force."""

    def __init__(self, store: Store) -> None:
        self._store = store
        rows = store.rows("SELECT data FROM setting")
        self._take(
            msgspec.json.decode(rows[0][0], type=Settings) if rows and isinstance(rows[0][0], bytes) else Settings()
        )

    def change(self, parts: dict[str, Any]) -> Settings:
        """Take over the parts given; msgspec.ValidationError when one is unknown or of the wrong kind."""
        changed = msgspec.convert({**structs.asdict(self.settings), **parts}, type=Settings)
        if min(_numbers(changed)) < 0:
            raise msgspec.ValidationError("fees and delays are not negative")
        if changed.payout_zone not in available_timezones():
            raise msgspec.ValidationError(f"no such zone: {changed.payout_zone}")
        self._store.write("INSERT OR REPLACE INTO setting (id, data) VALUES (1, ?)", msgspec.json.encode(changed))
        self._take(changed)
        return changed

    def _take(self, settings: Settings) -> None:
        self.settings = settings
        self.terms = Terms(
            fee_bps=settings.fee_bps,
            fee_fixed_minor=settings.fee_fixed_minor,
            dispute_fee_minor=settings.dispute_fee_minor,
            minimum_amount=settings.minimum_amount,
            refund_delay_s=settings.refund_delay_s,
            payout_delay_s=settings.payout_delay_s,
            available_after_days=settings.available_after_days,
        )
        self.payout_zone = ZoneInfo(settings.payout_zone)
        self._kinds = frozenset(settings.enabled_events)
        self._families = tuple(kind[:-1] for kind in settings.enabled_events if kind.endswith("*"))

    def sends(self, kind: str) -> bool:
        """Return whether events of a kind are delivered."""
        return kind in self._kinds or kind.startswith(self._families)


def _numbers(settings: Settings) -> tuple[float, ...]:
    return (
        settings.fee_bps,
        settings.fee_fixed_minor,
        settings.dispute_fee_minor,
        settings.refund_delay_s,
        settings.payout_delay_s,
        settings.available_after_days,
    )
