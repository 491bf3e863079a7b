"""What machines call: the processor's webhooks, health, metrics and the API document."""

from services.gateway.http.resources import household
from shared.http.operation import Operation

MOST_WEBHOOK_BYTES = 512 * 1024

SYSTEM: tuple[Operation, ...] = (
    Operation(
        "receiveCardWebhook", "POST", "/webhooks/cards", "The card processor's signed webhooks",
        {200: household.Received}, most_bytes=MOST_WEBHOOK_BYTES,
        problems=("signature_missing", "signature_malformed", "signature_invalid", "signature_expired",
                  "webhook_invalid", "body_too_large", "content_type_unsupported", "overloaded", "commit_unknown"),
    ),
    Operation("live", "GET", "/healthz/live", "Whether the process makes progress", {}, documented=False),
    Operation("ready", "GET", "/healthz/ready", "Whether the process can serve", {}, documented=False),
    Operation("metrics", "GET", "/metrics", "Metrics for Prometheus", {}, documented=False),
    Operation("openapi", "GET", "/openapi.json", "This document", {}, documented=False),
)  # fmt: skip
