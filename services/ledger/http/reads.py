"""The statements of `reads.sql`, and what their rows are."""

from pathlib import Path

from shared.errors import StoreDown
from shared.eventlog.postgres_sessions import PLANNING
from shared.postgres.queries import queries
from shared.postgres.reader import Reader, Row
from shared.postgres.wire import Call

SQL = queries(Path(__file__).with_suffix(".sql"))
STATEMENT_TIMEOUT = {"statement_timeout": "5s", "default_transaction_read_only": "on"}


class Reads:
    """Asks the database of the ledger; a statement of one shard is prepared once per shard."""

    def __init__(self, dsn: str, connections: int) -> None:
        self._reader = Reader(dsn, "piperoll-ledger-http", connections, {**PLANNING, **STATEMENT_TIMEOUT})
        self._calls: dict[tuple[str, int | None], tuple[str, str]] = {}
        self.run = self._reader.run
        self.close = self._reader.close

    async def ask(self, statement: str, *parameters: bytes | None, shard: int | None = None) -> list[Row]:
        """Return the rows of a named statement, of one shard's partition where it has one."""
        named = self._calls.get((statement, shard))
        if named is None:
            name = statement if shard is None else f"{statement}_{shard}"
            named = self._calls[statement, shard] = name, SQL[statement].replace("{shard}", str(shard))
        return await self._reader.ask(Call(*named, parameters))

    async def answers(self) -> bool:
        """Tell whether the database answers just now."""
        try:
            return bool(await self.ask("alive"))
        except StoreDown:
            return False
