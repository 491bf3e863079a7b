"""Every operation in one table."""

from services.gateway.http.operations.changes import CHANGES
from services.gateway.http.operations.direct import DIRECT
from services.gateway.http.operations.finance import FINANCE
from services.gateway.http.operations.household import HOUSEHOLD
from services.gateway.http.operations.system import SYSTEM
from shared.http.operation import Operation

OPERATIONS: tuple[Operation, ...] = (*HOUSEHOLD, *CHANGES, *FINANCE, *DIRECT, *SYSTEM)
