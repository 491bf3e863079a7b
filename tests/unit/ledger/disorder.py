"""Facts that billing would never send in such an order or of such amounts."""

from hypothesis import strategies as st

from shared.contracts.event import Event
from tests.unit.ledger import facts as told
from tests.unit.ledger.month import MONTHS, POLICIES, premium_lines
from tests.unit.ledger.story import bill, cancelled, declined, found, registered, settled

minor = st.integers(1, 5)
some_or_none = st.integers(0, 5)
payment = st.sampled_from(["pay_3_1", "pay_3_2"])
refund = st.sampled_from(["rfd_3_1", "rfd_3_2"])
invoice = st.sampled_from(["inv_3_1", "inv_3_2"])
policy, month = st.just(POLICIES[0]), st.sampled_from(MONTHS)
parts = st.lists(st.builds(told.part, minor, invoice, policy, month), min_size=1, max_size=3)
lines = st.lists(premium_lines(5, policy), min_size=1, max_size=3)

any_fact: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda some, of: bill(*some, invoice_id=of), lines, invoice),
    st.builds(lambda some, of: told.voided(*some, invoice_id=of), lines, invoice),
    st.builds(registered, minor, payment),
    st.builds(settled, minor, payment),
    st.builds(declined, minor, payment),
    st.builds(cancelled, minor, payment),
    st.builds(found, minor, payment),
    st.builds(told.check, minor, payment),
    st.builds(lambda some, by: told.paying(*some, payment_id=by), parts, payment),
    st.builds(lambda some, by: told.unpaid(*some, payment_id=by), parts, payment),
    st.builds(told.opened, minor, refund, payment),
    st.builds(told.sent, minor, refund, payment),
    st.builds(told.bounced, minor, refund, payment),
    st.builds(told.withdrawn, minor, refund, payment),
    st.builds(told.debited, minor, some_or_none),
    st.builds(told.won, minor),
    st.builds(told.lost, minor, some_or_none),
    st.builds(told.returned, minor, some_or_none),
    st.builds(told.recovered, minor),
    st.builds(told.passed_on, minor),
    st.builds(told.taken_in, minor),
    st.builds(told.came_back, minor),
)
"""Few ids and small amounts, so that facts meet."""

disorder = st.integers(1, 30).flatmap(lambda length: st.lists(any_fact, min_size=length, max_size=length))
