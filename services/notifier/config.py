"""What the notifier reads from its environment beside what every process reads."""

from pathlib import Path

from pydantic import Field

from services.notifier.channels.smtp import SmtpServer, Tls
from services.notifier.effects.delivery import Sender
from shared.settings import ProcessSettings


class NotifierSettings(ProcessSettings):
    """`PIPEROLL_PEOPLE_DSN`, `PIPEROLL_MASTER_KEY_FILE`, `PIPEROLL_SMTP_*`, `PIPEROLL_MAIL_*`.

    `smtp_tls`: auto (STARTTLS where it is offered), starttls, tls, off; in production say starttls or tls. Nobody waits
    for a notice that closely, and most records are about none: hence the pause of the inbox.
    """

    inbox_pause_s: float = Field(default=0.05, ge=0, le=1)
    people_dsn: str
    master_key_file: Path
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=25, ge=1, le=65_535)
    smtp_tls: Tls = "auto"
    smtp_username: str | None = None
    smtp_password_file: Path | None = None
    smtp_connections: int = Field(default=4, ge=1, le=100)
    mail_from: str = "no-reply@piperoll.invalid"
    mail_from_name: str = "Health Exchange"

    @property
    def server(self) -> SmtpServer:
        """The mail server; reads the password's file."""
        file = self.smtp_password_file
        return SmtpServer(
            host=self.smtp_host,
            port=self.smtp_port,
            connections=self.smtp_connections,
            tls=self.smtp_tls,
            username=self.smtp_username,
            password=file.read_text(encoding="utf-8").strip() if file is not None else None,
        )

    @property
    def sender(self) -> Sender:
        """From whom notices come; Message-IDs end in its domain."""
        return Sender(self.mail_from, self.mail_from_name, self.mail_from.rpartition("@")[2])
