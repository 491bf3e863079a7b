"""Handing outcomes to the shard's writer: with the attempt's key, until they are committed."""

import asyncio
from typing import Protocol

from services.billing.domain.commands import Outcome
from services.billing.effects.works import Origin
from shared.contracts.event import Actor
from shared.decider import Command
from shared.errors import WorldFault
from shared.eventlog.command import Answer, Submitted
from shared.ids import root_of_key
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
PRINCIPAL = "billing"


class Submitter(Protocol):
    """The part of a writer that effects use."""

    async def submit(self, submitted: Submitted) -> Answer: ...


class Outbox:
    """Submits again and again while the world is at fault; a fault of ours passes through."""

    def __init__(self, writer: Submitter, actor: Actor) -> None:
        self._writer = writer
        self._actor = actor

    async def outcome(self, origin: Origin, command: Outcome, name: str) -> Answer:
        """Submit what became of an attempt under the key (attempt, outcome)."""
        key = f"{command.attempt_id}:{name}"
        root = root_of_key(origin.tenant, PRINCIPAL, "attempt-outcome", command.account_id, key)
        answer = await self.submit(origin, command, root)
        if answer.rows and not answer.replayed:
            metrics.OUTCOMES.labels("card", name.partition(":")[0]).inc()
        return answer

    async def submit(self, origin: Origin, command: Command, root: bytes) -> Answer:
        """Submit a command until it is answered."""
        submitted = Submitted(
            command=command,
            tenant=origin.tenant,
            root=root,
            actor=self._actor,
            correlation=origin.correlation,
            causation=origin.causation,
            trace=origin.trace,
        )
        wait_s = FIRST_WAIT_S
        while True:
            try:
                return await self._writer.submit(submitted)
            except WorldFault as error:
                log.warning("outcome_waits", command=command.TYPE, correlation=origin.correlation, error=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
