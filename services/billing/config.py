"""What billing reads from its environment beside what every process reads."""

from shared.settings import ProcessSettings


class BillingSettings(ProcessSettings):
    """`PIPEROLL_CARD_*`, `PIPEROLL_CURRENCY`.

    `card_api_base` None is the processor's own address; the member comes back to `card_return_url` after 3-D Secure.
    """

    card_api_key: str
    card_api_base: str | None = None
    card_return_url: str = "http://127.0.0.1/payments/done"
    currency: str = "USD"
