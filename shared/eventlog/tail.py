"""A shard's tail as its topics have it: records above the log's end, merged by position and checked as a log.

What a topic holds is not believed: the rows made of it must give, by the relay's own computation, the very messages
that were found, chained to the log's last records.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from shared.contracts.envelope import Fact, open_fact
from shared.errors import BadRecord, OwnFault
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.outgoing import Chains, Header, outgoing
from shared.eventlog.ports import EventRow, Outgoing


class NotAdoptable(OwnFault):
    """The records above the log's end are no continuation of it; nothing was changed."""


class Found:
    """What topics hold of one shard's log above its end: a row per position, and the facts of the rows."""

    def __init__(self, service: str, shard: int, copies: Sequence[Outgoing]) -> None:
        self._service = service
        self._shard = shard
        self._copies: dict[int, list[Outgoing]] = defaultdict(list)
        self.facts: dict[int, Fact] = {}
        self.rows: list[EventRow] = []
        for copy in copies:
            self._copies[int(_headers(copy)["position"])].append(copy)
        for position in sorted(self._copies):
            self.rows.append(self._row(position))

    def notes(self, position: int) -> Sequence[Header]:
        """Return the headers of a record that its service adds to what the log says."""
        return [one for one in self._copies[position][0].headers if one[0] == "request"]

    def check(self, end: int, shards: int, chains: Chains) -> None:
        """Raise NotAdoptable unless the rows go on after `end`, and `chains` as they are there, without any gap."""
        for row, expected in zip(self.rows, range(end + 1, end + 1 + len(self.rows)), strict=True):
            if row.position != expected:
                raise self._wrong(expected, f"is on no topic, though {row.position} is")
        self._check_versions()
        notes = {row.position: self.notes(row.position) for row in self.rows}
        messages, _ = outgoing(self._service, self._shard, shards, self.rows, chains, notes)
        should = {(one.topic, one.partition, one.value): one for one in messages}
        for position, copies in self._copies.items():
            for copy in copies:
                if should.get((copy.topic, copy.partition, copy.value)) != copy:
                    raise self._wrong(position, f"on {copy.topic} is not what the log would publish there")

    def _row(self, position: int) -> EventRow:
        copies = self._copies[position]
        if any(copy.value != copies[0].value for copy in copies):
            raise self._wrong(position, "has two contents: " + ", ".join(sorted({copy.topic for copy in copies})))
        headers = _headers(copies[0])
        try:
            fact = open_fact(copies[0].value)
        except BadRecord as error:
            raise self._wrong(position, f"is no event that this version knows: {error}") from error
        self.facts[position] = fact
        envelope = fact.envelope
        digest = headers.get("digest")
        return EventRow(
            shard=self._shard,
            position=position,
            stream=envelope.stream,
            version=envelope.version,
            event_id=bytes.fromhex(envelope.event_id),
            type=envelope.type,
            data=copies[0].value,
            digest=None if digest is None else bytes.fromhex(digest),
            trace=headers.get("traceparent"),
        )

    def _check_versions(self) -> None:
        versions: dict[str, int] = {}
        recorded_at = ""
        for row in self.rows:
            known = versions.get(row.stream)
            if known is not None and row.version != known + 1:
                raise self._wrong(row.position, f"is version {row.version} of {row.stream}, after {known}")
            versions[row.stream] = row.version
            at = self.facts[row.position].envelope.recorded_at
            if at < recorded_at:
                raise self._wrong(row.position, "was recorded before the one before it")
            recorded_at = at

    def first_versions(self) -> Mapping[str, int]:
        """Return each stream with the version that its first row has."""
        first: dict[str, int] = {}
        for row in self.rows:
            first.setdefault(row.stream, row.version)
        return first

    def _wrong(self, position: int, what: str) -> NotAdoptable:
        return NotAdoptable(f"{self._service} shard {self._shard}: position {position} {what}")


def hanging(copies: Sequence[Outgoing], chains: Chains) -> list[Outgoing]:
    """Return the records that name one before them that is there; what somebody else wrote on a topic hangs on none."""
    known: dict[tuple[str, int], dict[int, bytes]] = defaultdict(dict)
    for part, (position, hashed) in chains.items():
        known[part][position] = hashed
    for copy in copies:
        known[copy.topic, copy.partition][int(_headers(copy)["position"])] = leaf_hash(copy.value)
    return [copy for copy in copies if _hangs(copy, known[copy.topic, copy.partition])]


def _hangs(copy: Outgoing, known: Mapping[int, bytes]) -> bool:
    headers = _headers(copy)
    return known.get(int(headers["previous"]), b"").hex() == headers["previous_hash"]


def _headers(copy: Outgoing) -> dict[str, str]:
    return {name: value.decode() for name, value in copy.headers}
