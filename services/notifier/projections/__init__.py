"""What the notifier finds again quickly."""

from collections.abc import Sequence

from services.notifier.projections.open_notice import OpenNoticeIndex
from shared.eventlog.projections import Projection

PROJECTIONS: Sequence[Projection] = (OpenNoticeIndex(),)
