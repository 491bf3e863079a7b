"""A processor's reports and a bank's statements, as billing imports them."""

from shared.contracts.billing import BankStatementImported, ReportImported, ReportLine, ReportPartImported
from shared.contracts.gateway import BankLine

DAY = "2026-02-09"


def line(intent_ref: str, minor: int = 18165, fee_minor: int = 0, kind: str = "charge", source: str = "") -> ReportLine:
    """Return a line; `source` names the object where it is of no intent, else its transaction."""
    name = intent_ref or source
    return ReportLine(
        transaction_ref=f"txn_{kind}_{name}",
        source_ref=source or f"ch_{name}",
        intent_ref=intent_ref,
        kind=kind,
        amount_minor=minor,
        fee_minor=fee_minor,
        net_minor=minor - fee_minor,
        currency="USD",
        created_at="2026-02-10T03:00:00.000000Z",
    )


def paid_out(minor: int, payout: str = "po_1", *, failed: bool = False) -> ReportLine:
    """Return a payout's line, or that of its coming back; `minor` is above zero."""
    return line("", minor if failed else -minor, kind="payout_failure" if failed else "payout", source=payout)


def part(*lines: ReportLine, day: str = DAY, number: int = 1, parts: int = 1) -> ReportPartImported:
    return ReportPartImported(processor="card", day=day, part=number, parts=parts, lines=lines)


def report(*lines: ReportLine, day: str = DAY, opening_minor: int = 0) -> tuple[ReportPartImported, ReportImported]:
    """Return a day in one part, and its header."""
    header = ReportImported(
        processor="card",
        day=day,
        currency="USD",
        opening_minor=opening_minor,
        closing_minor=opening_minor + sum(one.net_minor for one in lines),
        parts=1,
        lines=len(lines),
    )
    return part(*lines, day=day), header


def bank_line(line_ref: str, kind: str, minor: int, reference: str = "") -> BankLine:
    return BankLine(line_ref=line_ref, kind=kind, amount_minor=minor, reference=reference)  # type: ignore[arg-type]


def statement(*lines: BankLine, day: str = DAY, opening_minor: int = 0, page: int = 1) -> BankStatementImported:
    return BankStatementImported(
        statement_id=f"stm_3_{day}_{page}",
        bank_account="trust-1",
        day=day,
        currency="USD",
        opening_minor=opening_minor,
        closing_minor=opening_minor + sum(one.amount_minor for one in lines),
        lines=lines,
    )
