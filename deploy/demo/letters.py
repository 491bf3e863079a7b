"""Which kind of letter a mail is, by its subject in its language."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from deploy.demo.acts import Household
from deploy.demo.model import Model
from deploy.demo.report import Check

_SUBJECTS = {
    "payment_receipt": ("Receipt: your payment of ", "Recibo: su pago de "),
    "payment_declined": ("Your payment of .* was declined", "Su pago de .* fue rechazado"),
    "payment_cancelled": ("Your payment of .* was cancelled", "Su pago de .* fue cancelado"),
    "payment_returned": ("Your check of .* was returned", "Su cheque de .* fue devuelto"),
    "duplicate_found": (".* came twice", ".* llegó dos veces"),
    "duplicate_refund": ("We are giving .* back", "Le devolvemos "),
    "duplicate_credit": (".* stays as credit", ".* queda como saldo a favor"),
    "duplicate_dismissed": ("Your payment of .* was not a duplicate", "Su pago de .* no fue un duplicado"),
    "refund_completed": ("Your refund of .* was sent", "Su reembolso de .* fue enviado"),
    "refund_bounced": ("Your refund of .* came back", "Su reembolso de .* nos fue devuelto"),
    "refund_cancelled": ("Your refund of .* was not made", "Su reembolso de .* no se hizo"),
    "chargeback_lost": ("Your bank took .* back from us", "Su banco nos retiró "),
}
_LANGUAGES = ("en", "es")
Mail = Mapping[str, object]


def kind_of(subject: str, language: str) -> str:
    """Return the kind of a letter; the subject itself where no letter has it."""
    for kind, subjects in _SUBJECTS.items():
        if language in _LANGUAGES and re.match(subjects[_LANGUAGES.index(language)], subject):
            return kind
    return subject


def ours(households: Sequence[Household], arrived: Iterable[Mail]) -> list[Mail]:
    """Return the mails to these households."""
    addresses = {household.email for household in households}
    return [mail for mail in arrived if mail["to"] in addresses]


def letters_as_expected(households: Sequence[Household], model: Model, arrived: Iterable[Mail]) -> Check:
    """Hold what arrived, per address, language and kind, against what the model expects."""
    wanted: Counter[tuple[str, str, str]] = Counter(
        {
            (one.email, one.language, kind): count
            for one in households
            for kind, count in model.members[one.number].letters.items()
        }
    )
    got = Counter(
        (str(mail["to"]), str(mail["language"]), kind_of(str(mail["subject"]), str(mail["language"])))
        for mail in ours(households, arrived)
    )
    missing, more = wanted - got, got - wanted
    found = f"{got.total()} mails, {missing.total()} missing, {more.total()} too many"
    return Check("letters_by_kind_and_language", not missing and not more, _with_first(found, missing, more))


def _with_first(found: str, missing: Counter[tuple[str, str, str]], more: Counter[tuple[str, str, str]]) -> str:
    shown = [f"missing {' '.join(one)}" for one in list(missing)[:3]]
    return ", ".join([found, *shown, *(f"too many {' '.join(one)}" for one in list(more)[:3])])
