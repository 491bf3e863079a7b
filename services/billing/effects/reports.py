"""Reading a processor's day: all its balance transactions, handed over in parts and then summed up."""

from zoneinfo import ZoneInfo

from services.billing.domain.commands import ImportReport, ImportReportPart
from services.billing.domain.reports import MOST_LINES
from services.billing.effects.days import bounds_of
from services.billing.effects.outbox import PRINCIPAL, Outbox
from services.billing.effects.times import Ended
from services.billing.effects.works import OpenReport
from services.billing.rails.port import Rail
from shared.errors import OwnFault
from shared.ids import root_of_key


class ForeignLine(OwnFault):
    """The processor holds another currency for us than the one configured."""


class ReportReader:
    """Runs `ReportDue` days. A run cut short is run again whole: parts that are there already add nothing."""

    def __init__(self, rail: Rail, outbox: Outbox, zone: ZoneInfo, currency: str) -> None:
        self._rail = rail
        self._outbox = outbox
        self._zone = zone
        self._currency = currency

    async def read(self, work: OpenReport) -> Ended:
        """Import a day; the first day of all takes everything before it too, so that it opens at 0 (RailDown)."""
        begin, end = bounds_of(work.day, self._zone)
        lines = tuple(await self._rail.balance_lines(None if work.is_first else begin, end))
        foreign = sorted({line.currency for line in lines} - {self._currency})
        if foreign:
            raise ForeignLine(f"{work.day} has lines in {foreign}, not {self._currency}")
        cuts = [lines[at : at + MOST_LINES] for at in range(0, len(lines), MOST_LINES)] or [()]
        for part, cut in enumerate(cuts, start=1):
            command = ImportReportPart(processor=work.processor, day=work.day, part=part, parts=len(cuts), lines=cut)
            await self._outbox.submit(work.origin, command, self._root(work, f"{work.day}:{part}"))
        header = ImportReport(
            processor=work.processor,
            day=work.day,
            currency=self._currency,
            parts=len(cuts),
            lines=len(lines),
            net_minor=sum(line.net_minor for line in lines),
        )
        await self._outbox.submit(work.origin, header, self._root(work, f"{work.day}:header"))
        return Ended()

    def _root(self, work: OpenReport, key: str) -> bytes:
        return root_of_key(work.origin.tenant, PRINCIPAL, "report-import", f"prc_{work.processor}", key)
