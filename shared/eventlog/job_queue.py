"""What waits for a writer's next round, in the order in which it came."""

from shared.eventlog.round import Job, weight


class JobQueue:
    """Jobs and their weight: how many commands and records they hold."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.weight = 0

    def add(self, job: Job) -> None:
        """Put a job behind the others."""
        self.jobs.append(job)
        self.weight += weight(job)

    def take(self, most: int) -> tuple[list[Job], int]:
        """Return the first jobs and their weight: at least one, and no further one once they weigh `most`."""
        count = taken = 0
        for job in self.jobs:
            if count and taken >= most:
                break
            count += 1
            taken += weight(job)
        first, self.jobs = self.jobs[:count], self.jobs[count:]
        self.weight -= taken
        return first, taken
