"""What many of the gateway's operations may answer besides their own problems."""

KEY_PROBLEMS = (
    "idempotency_key_missing",
    "idempotency_key_too_long",
    "idempotency_key_invalid",
    "idempotency_key_repeated",
    "idempotency_key_reused",
    "prefer_invalid",
    "content_type_unsupported",
    "body_too_large",
    "body_not_json",
    "field_unknown",
    "field_missing",
    "field_type_invalid",
    "text_invalid",
    "overloaded",
    "commit_unknown",
)
AMOUNT_PROBLEMS = ("amount_not_integer", "amount_too_large", "currency_unsupported")
