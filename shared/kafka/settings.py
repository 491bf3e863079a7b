"""How to reach Kafka, from `PIPEROLL_KAFKA_*`, and the arguments that each client library wants of it."""

import ssl
from typing import Any, Literal, Self

from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaSettings(BaseSettings):
    """Addresses, transport security and replication; replication is 1 locally, 3 with 2 in sync in production."""

    model_config = SettingsConfigDict(env_prefix="PIPEROLL_KAFKA_", frozen=True, extra="ignore")

    bootstrap: str
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    replication_factor: int = 1
    min_insync_replicas: int = 1

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.uses_sasl and (self.sasl_username is None or self.sasl_password is None):
            raise ValueError(f"{self.security_protocol} needs PIPEROLL_KAFKA_SASL_USERNAME and _SASL_PASSWORD")
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ValueError("PIPEROLL_KAFKA_SSL_KEYFILE needs PIPEROLL_KAFKA_SSL_CERTFILE")
        return self

    @property
    def uses_sasl(self) -> bool:
        """Whether the client names itself with a password."""
        return self.security_protocol.startswith("SASL_")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return a context that verifies the broker and its host name, or None without TLS."""
        if not self.uses_tls:
            return None
        context = ssl.create_default_context(cafile=self.ssl_cafile)
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        return context

    def client_options(self) -> dict[str, Any]:
        """Return aiokafka's arguments for any client: producer, consumer, admin."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context(),
        }
        if self.uses_sasl:
            assert self.sasl_password is not None
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return options

    def faststream_security(self) -> BaseSecurity:
        """Return the same for a FastStream broker."""
        context = self.ssl_context()
        if not self.uses_sasl:
            return BaseSecurity(ssl_context=context, use_ssl=self.uses_tls)
        assert self.sasl_username is not None
        assert self.sasl_password is not None
        kind = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
        return kind[self.sasl_mechanism](
            username=self.sasl_username,
            password=self.sasl_password.get_secret_value(),
            ssl_context=context,
            use_ssl=self.uses_tls,
        )


def settings_for(bootstrap: "str | KafkaSettings") -> KafkaSettings:
    """Return settings where a caller may also name plain addresses (`host:port,host:port`)."""
    return bootstrap if isinstance(bootstrap, KafkaSettings) else KafkaSettings(bootstrap=bootstrap)
