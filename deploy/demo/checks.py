"""Holds what was played against what is kept: every figure is read from two sides."""

from collections import Counter
from collections.abc import Sequence

from deploy.demo.books import Books, Charge, charges, events_by_service, mails, parked, read_books
from deploy.demo.members import Played
from deploy.demo.plan import Household
from deploy.demo.proofs import projections_equal, verified_shards
from deploy.demo.report import Check, Report, percentiles
from deploy.local.layout import SHARDS
from deploy.local.stack import Stack


def examine(
    stack: Stack, households: Sequence[Household], seed: int, played: Sequence[Played], already: Sequence[Check]
) -> Report:
    """Return the report of one demo; the stack must be at rest. `already` are checks made before."""
    books = read_books(stack.dsn("ledger"), SHARDS)
    taken = charges(stack.card_url)
    arrived = mails(stack.mail_url)
    waiting = parked(stack)
    shards, broken = verified_shards(stack)
    unequal = projections_equal(stack)
    unexplained = unexplained_minor(books, taken)
    checks = (
        *already,
        *_checks_of_payments(played, households, taken),
        *_checks_of_mails(played, households, arrived),
        Check("trial_balance_is_zero", books.trial_balance_minor == 0, f"{books.trial_balance_minor}"),
        Check("processor_equals_books", unexplained == 0, f"{unexplained} minor units differ"),
        Check("nothing_parked", waiting == 0, f"{waiting} parked"),
        Check("logs_verified", not broken, "; ".join(broken) or f"{len(shards)} shards"),
        Check("projections_equal_rebuilt", not unequal, ", ".join(unequal) or "all equal"),
    )
    return Report(
        households=len(households),
        seed=seed,
        events=events_by_service(stack),
        entries=books.entries,
        parked=waiting,
        payments=dict(sorted(Counter(one.status for one in played).items())),
        duplicates={"retried": sum(one.retried for one in played)},
        mails=len(_ours(households, arrived)),
        trial_balance_minor=books.trial_balance_minor,
        unexplained_minor=unexplained,
        shards=shards,
        log_verified=not broken,
        projections_equal=not unequal,
        latency_ms=percentiles([one.latency_ms for one in played]),
        household_digests=tuple(books.digest_of(one.account_id) for one in played),
        checks=checks,
        held=all(check.held for check in checks),
    )


def unexplained_minor(books: Books, taken: Sequence[Charge]) -> int:
    """Return the sum, without sign, of what differs between the processor's charges and 1125, per reference."""
    processor: Counter[str] = Counter()
    for charge in taken:
        processor[charge.intent] += charge.amount_minor
    references = set(processor) | set(books.charged)
    return sum(abs(processor[reference] - books.charged[reference]) for reference in references)


def _checks_of_payments(
    played: Sequence[Played], households: Sequence[Household], taken: Sequence[Charge]
) -> list[Check]:
    by_payment = Counter(charge.payment_id for charge in taken)
    wrong = [one.payment_id for one in played if by_payment[one.payment_id] != (1 if one.status == "settled" else 0)]
    due = {household.number: household.bill.member_minor for household in households}
    amounts = {charge.payment_id: charge.amount_minor for charge in taken}
    off = [
        one.payment_id for one in played if one.status == "settled" and amounts.get(one.payment_id) != due[one.number]
    ]
    settled = sum(one.status == "settled" for one in played)
    return [
        Check("every_payment_settled", settled == len(households), f"{settled} of {len(households)}"),
        Check("one_charge_per_settled_payment", not wrong, f"{len(wrong)} wrong"),
        Check("charged_what_was_due", not off, f"{len(off)} wrong"),
    ]


def _checks_of_mails(
    played: Sequence[Played], households: Sequence[Household], arrived: Sequence[dict[str, object]]
) -> list[Check]:
    ours = _ours(households, arrived)
    wanted = Counter((one.email, one.language) for one in households)
    got = Counter((str(mail["to"]), str(mail["language"])) for mail in ours)
    missing, more = wanted - got, got - wanted
    return [
        Check(
            "one_mail_per_payment_in_its_language",
            not missing and not more,
            f"{len(ours)} mails, {sum(missing.values())} missing, {sum(more.values())} too many",
        )
    ]


def _ours(households: Sequence[Household], arrived: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    addresses = {household.email for household in households}
    return [mail for mail in arrived if mail["to"] in addresses]
