"""What all shards of a process share: the people database and the mail server, open while any shard is held."""

from services.notifier.channels.render import Texts
from services.notifier.channels.smtp import SmtpMailer, SmtpServer
from services.notifier.effects.delivery import Delivery, Sender
from shared.clock import Clock
from shared.people.reader import PeopleReader
from shared.people.sealing import MasterKey


class Outside:
    """Opened by the first shard, closed by the last."""

    def __init__(self, people_dsn: str, master_key: MasterKey, server: SmtpServer, sender: Sender) -> None:
        self._people_dsn = people_dsn
        self._master_key = master_key
        self._server = server
        self._sender = sender
        self._texts = Texts()
        self._users = 0
        self._people: PeopleReader | None = None
        self._mailer: SmtpMailer | None = None

    async def open(self, clock: Clock) -> Delivery:
        """Return a delivery over the connections of this process."""
        self._users += 1
        self._people = self._people or PeopleReader(self._people_dsn, self._master_key)
        self._mailer = self._mailer or SmtpMailer(self._server)
        return Delivery(self._people, self._mailer, self._texts, self._sender, clock)

    async def close(self) -> None:
        """Let go; the last to do so closes the connections."""
        self._users -= 1
        if self._users > 0:
            return
        people, self._people = self._people, None
        mailer, self._mailer = self._mailer, None
        if mailer is not None:
            await mailer.close()
        if people is not None:
            await people.close()
