"""The identity provider: mock-oauth2-server 6.0.2, as a child of ours, and how a token is asked of it.

It believes whatever client asks, so it proves how tokens are checked and never who somebody is: for this machine only.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalStackError
from deploy.local.files import write_atomically
from deploy.local.home import Say, quiet
from deploy.local.jars import IDENTITY, fetched
from deploy.local.java import Java, archive_flags, class_data_archive, class_path, find_java
from deploy.local.ports import settle_ports
from deploy.local.probes import http_ready
from deploy.local.program import Program

ISSUER_ID = "piperoll"
AUDIENCE = "piperoll"
TENANT = "demo"
ROLES = ("member", "assister", "support", "finance", "auditor", "operator")
MOST_ACCOUNTS = 20
TOKEN_LIFE_S = 3600
_FLAGS = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_MAIN = "no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt"


def prepare(say: Say = quiet) -> None:
    """Fetch the jars and make the class-data archive."""
    java, jars = find_java(), fetched(IDENTITY, say)
    _archive(java, jars, say)


def lay_out(folder: Path, secrets: Path, say: Say = quiet) -> None:
    """Write the configuration, with a signing key that stays the same over restarts."""
    prepare(say)
    key = secrets / "identity.jwk"
    if not key.exists():
        write_atomically(key, json.dumps(_new_key()), mode=0o600)
    write_atomically(folder / "config.json", json.dumps(_configuration(key.read_text(encoding="utf-8"))), mode=0o600)


def program(folder: Path, port: int, log: Path) -> Program:
    """Return the provider over a folder that was laid out."""
    java, jars = find_java(), fetched(IDENTITY)
    return Program(
        name="identity",
        argv=_command(java, jars, _archive(java, jars, quiet)),
        env=_environment(folder / "config.json", port),
        probe=http_ready(port, "/isalive"),
        log=log,
        port=port,
    )


def token(issuer: str, role: str, accounts: Sequence[str] = (), *, subject: str = "", tenant: str = TENANT) -> str:
    """Return a bearer token for `role`, valid one hour; without `subject` the first account or the role is it."""
    if role not in ROLES:
        raise LocalStackError(f"there is no role {role}: choose one of {', '.join(ROLES)}")
    if len(accounts) > MOST_ACCOUNTS:
        raise LocalStackError(f"a token names at most {MOST_ACCOUNTS} accounts, not {len(accounts)}")
    form = {
        "grant_type": "client_credentials",
        "client_id": subject or (accounts[0] if accounts else role),
        "client_secret": "unused",
        "role": role,
        "tenant": tenant,
        "accounts": str(len(accounts)),
        **{f"account_{number}": account for number, account in enumerate(accounts)},
    }
    request = urllib.request.Request(f"{issuer}/token", data=urllib.parse.urlencode(form).encode())  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return str(json.load(answer)["access_token"])
    except (urllib.error.URLError, TimeoutError, ValueError, KeyError) as error:
        raise LocalStackError(f"the identity provider at {issuer} gave no token ({error})") from error


def _configuration(key: str) -> dict[str, Any]:
    """Return the provider's configuration: the first mapping that matches the token request says the claims.

    `${name}` is filled in from the form; an array has a fixed length, hence one mapping per number of accounts.
    The mappings by `scope` are for people with curl: the client id of a member is the account.
    """

    def mapping(parameter: str, value: str, role: str, tenant: str, accounts: list[str]) -> dict[str, Any]:
        claims = {"sub": "${clientId}", "aud": [AUDIENCE], "tenant": tenant, "role": role, "accounts": accounts}
        return {"requestParam": parameter, "match": value, "claims": claims}

    counted = [
        mapping("accounts", str(count), "${role}", "${tenant}", [f"${{account_{number}}}" for number in range(count)])
        for count in range(MOST_ACCOUNTS + 1)
    ]
    scoped = [mapping("scope", role, role, TENANT, ["${clientId}"] if role == "member" else []) for role in ROLES]
    callback = {"issuerId": ISSUER_ID, "tokenExpiry": TOKEN_LIFE_S, "requestMappings": [*counted, *scoped]}
    return {
        "interactiveLogin": True,
        "tokenProvider": {"keyProvider": {"initialKeys": key, "algorithm": "RS256"}},
        "tokenCallbacks": [callback],
    }


def _new_key() -> dict[str, Any]:
    from joserfc.jwk import RSAKey

    return {**RSAKey.generate_key(2048).as_dict(private=True), "kid": ISSUER_ID, "alg": "RS256", "use": "sig"}


def _environment(configuration: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "LC_ALL": "C.UTF-8",
        "SERVER_HOSTNAME": "127.0.0.1",
        "SERVER_PORT": str(port),
        "JSON_CONFIG_PATH": str(configuration),
    }


def _command(java: Java, jars: Path, archive: Path | None) -> tuple[str, ...]:
    return (str(java.program), *_FLAGS, *archive_flags(archive), "-cp", class_path(jars), _MAIN)


def _archive(java: Java, jars: Path, say: Say) -> Path | None:
    """Return the class-data archive, made at the first use by running the provider until it gave a token."""

    @contextmanager
    def provider() -> Iterator[tuple[list[str], dict[str, str], Callable[[], bool]]]:
        with tempfile.TemporaryDirectory(prefix="piperoll-train-") as name:
            work = Path(name)
            (work / "config.json").write_text(json.dumps(_configuration(json.dumps(_new_key()))), encoding="utf-8")
            port = settle_ports(work / "ports.json", ("identity",))["identity"]

            def gives_token() -> bool:
                if not asyncio.run(http_ready(port, "/isalive")()):
                    return False
                return bool(token(f"http://127.0.0.1:{port}/{ISSUER_ID}", "member", ["acc_training"]))

            yield list(_command(java, jars, None)), _environment(work / "config.json", port), gives_token

    return class_data_archive("identity", java, jars, _FLAGS, provider, say)
