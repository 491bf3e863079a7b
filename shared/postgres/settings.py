"""Connection settings: bounds on every wait, laid over a DSN whose own settings (TLS, host, user) pass through."""

from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict, make_conninfo

CONNECT_TIMEOUT_S = 5
TCP_USER_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 2_000

_CLIENT: Mapping[str, int] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
_SERVER: Mapping[str, str] = {
    "tcp_user_timeout": str(TCP_USER_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "synchronous_commit": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
}


def conninfo(dsn: str, application: str, server: Mapping[str, str] | None = None) -> str:
    """Return `dsn` with our bounds; what the DSN sets itself wins, its `options` are kept and come last.

    `server` names further settings of the session.
    """
    given = conninfo_to_dict(dsn)
    settings = {**_SERVER, **(server or {})}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    ours: dict[str, str | int] = {"application_name": application, **_CLIENT}
    missing = {name: value for name, value in ours.items() if name not in given}
    return make_conninfo(dsn, options=f"{options} {given.get('options') or ''}".strip(), **missing)
