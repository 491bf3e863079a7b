"""What a writer has decided and not yet sent: a draft, and the callers who wait for it to be committed."""

from collections.abc import Sequence

import msgspec

from shared.eventlog.command import Answer
from shared.eventlog.desk import Draft
from shared.eventlog.round import Job, Submission, settle


class Sheet(msgspec.Struct):
    """`answers` are those of the jobs that are submissions; `weight` is how many commands and records there are."""

    draft: Draft = msgspec.field(default_factory=Draft)
    jobs: list[Job] = []
    answers: list[tuple[Submission, list[Answer | Exception]]] = []
    weight: int = 0

    def take(self, jobs: Sequence[Job], weight: int) -> None:
        """Add jobs that are about to be decided."""
        self.jobs += jobs
        self.weight += weight

    def settle(self) -> None:
        """Answer everybody: all that they wait for is committed."""
        for submission, answers in self.answers:
            settle(submission.done, answers)
        for job in self.jobs:
            if not isinstance(job, Submission):
                settle(job.done, None)
