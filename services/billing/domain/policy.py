"""Terms and limits that an exchange sets."""

from datetime import timedelta

HOLD_TERM = timedelta(hours=72)
SAME_PAYMENT_WITHIN = timedelta(hours=24)
APPROVAL_ABOVE_MINOR = 50_000
APPROVALS = 2
APPROVAL_TERM = timedelta(days=7)
