"""From method and path to an operation, by one dictionary look-up."""

from collections.abc import Mapping, Sequence

from services.gateway.errors import Problem
from services.gateway.http.operations.base import Operation


class Routes:
    """`/v1/payments/{payment_id}` is found under `/v1/payments/*`; ids are the third and fifth parts of a path."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._by_shape: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            shape = "/".join("*" if part.startswith("{") else part for part in operation.path.split("/"))
            self._by_shape.setdefault(shape, {})[operation.method] = operation

    def find(self, method: str, path: str) -> tuple[Operation, Sequence[str]]:
        """Return the operation and the ids in the path; HEAD is GET. No such address or method raises the Problem."""
        methods, params = self.methods(path)
        operation = methods.get("GET" if method == "HEAD" else method)
        if operation is None:
            raise Problem("method_not_allowed", headers=((b"allow", allowed(methods)),))
        return operation, params

    def methods(self, path: str) -> tuple[Mapping[str, Operation], Sequence[str]]:
        """Return all operations of an address, and the ids in the path."""
        methods = self._by_shape.get(path)
        if methods is not None and "*" not in path:
            return methods, ()
        parts = path.split("/")
        if len(parts) < 4 or not parts[3]:
            raise Problem("route_unknown")
        params, parts[3] = (parts[3],), "*"
        methods = self._by_shape.get("/".join(parts))
        if methods is None:
            raise Problem("route_unknown")
        return methods, params


def allowed(methods: Mapping[str, Operation]) -> bytes:
    """Return the value of an `Allow` header."""
    names = {*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())}
    return ", ".join(sorted(names)).encode()
