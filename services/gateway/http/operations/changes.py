"""Operations that change what exists, and on what comes of them."""

from services.gateway.http.operations.base import Operation, get
from services.gateway.http.resources import changes

CHANGES: tuple[Operation, ...] = (
    get("getRequest", "/v1/requests/{request_id}", "A request to change what exists",
        changes.Request, ("request_unknown",)),
)  # fmt: skip
