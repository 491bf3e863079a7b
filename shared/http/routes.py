"""From method and path to an operation, by look-ups in dictionaries."""

from collections.abc import Collection, Mapping, Sequence

from shared.http.operation import Operation
from shared.http.problems import Problem

WORD = 2


class Routes:
    """`/v1/payments/{payment_id}` is found under `/v1/payments/*`.

    Which parts of a path are ids follows from its length and its second word.
    """

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._by_shape: dict[str, dict[str, Operation]] = {}
        self._ids: dict[tuple[int, str], list[tuple[int, ...]]] = {}
        for operation in operations:
            parts = operation.path.split("/")
            ids = tuple(place for place, part in enumerate(parts) if part.startswith("{"))
            self._by_shape.setdefault(_shape(parts, ids), {})[operation.method] = operation
            known = self._ids.setdefault((len(parts), parts[WORD]), []) if ids else []
            if ids not in known:
                known.append(ids)

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
        for ids in self._ids.get((len(parts), parts[WORD]), ()) if len(parts) > WORD else ():
            methods = self._by_shape.get(_shape(parts, ids))
            params = tuple(parts[place] for place in ids)
            if methods is not None and all(params):
                return methods, params
        raise Problem("route_unknown")


def _shape(parts: Sequence[str], ids: Collection[int]) -> str:
    return "/".join("*" if place in ids else part for place, part in enumerate(parts))


def allowed(methods: Mapping[str, Operation]) -> bytes:
    """Return the value of an `Allow` header."""
    names = {*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())}
    return ", ".join(sorted(names)).encode()
