"""The local stack on real servers: it starts again where it stopped, comes back after kill -9, and leaves nothing."""

import base64
import json
import os
import signal
import smtplib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.errors import AlreadyRunningError, LocalStackError
from deploy.local.identity import token
from deploy.local.leftovers import started_mark
from deploy.local.stack import Stack
from shared.contracts.topics import ALL_TOPICS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True, scope="module")
def _servers_of_our_own() -> Iterator[None]:
    """These tests are about starting servers, so those that the environment names are left alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PIPEROLL_POSTGRES_DSN", "PIPEROLL_KAFKA_BOOTSTRAP", "PIPEROLL_OIDC_ISSUER"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything but the services."""
    with Stack(tmp_path_factory.mktemp("stack"), services=False) as running:
        yield running


def piperoll(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return json.load(answer)


def claims_of(bearer: str) -> dict[str, Any]:
    payload = bearer.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def send(stack: Stack, message_id: str) -> None:
    message = EmailMessage()
    message.set_content("Gracias")
    message["Message-ID"] = message_id
    message["Subject"] = "Recibo"
    message["From"], message["To"] = "piperoll@example.org", "ana@example.org"
    message["Content-Language"] = "es"
    with smtplib.SMTP("127.0.0.1", stack.ports["smtp"], timeout=10) as server:
        server.send_message(message)


def kill_and_wait(stack: Stack, process: str) -> float:
    """Kill a process and return the seconds until it answers again."""
    pid, before = stack.pid(process), stack.restarts(process)
    began = time.monotonic()
    stack.kill(process, signal.SIGKILL)
    while stack.restarts(process) == before:
        assert time.monotonic() - began < 30
        time.sleep(0.01)
    stack.wait_ready(30)
    assert stack.pid(process) != pid
    return time.monotonic() - began


def test_every_service_has_its_database_and_its_topics(stack: Stack) -> None:
    for service in ("gateway", "billing", "ledger", "notifier"):
        with psycopg.connect(stack.dsn(service)) as connection:
            row = connection.execute("SELECT current_user, current_database(), count(*) FROM shard").fetchone()
        assert row == (f"piperoll_{service}", f"piperoll_{service}", 8)


async def test_every_topic_is_there_and_none_makes_itself(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    try:
        assert {topic.name for topic in ALL_TOPICS} <= set(await admin.list_topics())
        described = await admin.describe_topics(["nobody.made.this"])
        assert described[0]["error_code"] == 3
    finally:
        await admin.close()


def test_a_write_is_on_disk_before_it_is_confirmed(stack: Stack) -> None:
    with psycopg.connect(stack.admin_dsn) as connection:
        settings = connection.execute(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('data_checksums'),"
            " current_setting('synchronous_commit'), current_setting('listen_addresses')"
        ).fetchone()
    assert settings == ("on", "on", "on", "on", "")


def test_postgresql_comes_back_after_a_kill_with_what_was_committed(stack: Stack) -> None:
    with psycopg.connect(stack.admin_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (42)")
    assert kill_and_wait(stack, "postgres") < 10
    with psycopg.connect(stack.admin_dsn) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)


async def test_kafka_comes_back_after_a_kill_with_what_was_acknowledged(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap, acks="all") as producer:
        await producer.send_and_wait("kept", b"42")
    assert kill_and_wait(stack, "kafka") < 12
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=stack.bootstrap, auto_offset_reset="earliest")
    async with consumer:
        assert (await consumer.getone()).value == b"42"


def test_a_token_names_role_tenant_and_accounts(stack: Stack) -> None:
    claims = claims_of(token(stack.issuer, "member", ["acc_1", "acc_2"]))
    assert claims["iss"] == stack.issuer
    assert claims["aud"] in ("piperoll", ["piperoll"])
    assert (claims["sub"], claims["tenant"], claims["role"]) == ("acc_1", "demo", "member")
    assert claims["accounts"] == ["acc_1", "acc_2"]
    assert claims["exp"] - claims["iat"] == 3600
    staff = claims_of(token(stack.issuer, "finance"))
    assert (staff["role"], staff["accounts"]) == ("finance", [])


def test_a_token_is_still_good_after_the_identity_provider_was_killed(stack: Stack) -> None:
    keys = get(f"{stack.issuer}/jwks")
    assert kill_and_wait(stack, "identity") < 10
    assert get(f"{stack.issuer}/jwks") == keys


def test_an_unknown_role_and_too_many_accounts_are_refused(stack: Stack) -> None:
    with pytest.raises(LocalStackError, match="no role king"):
        token(stack.issuer, "king")
    with pytest.raises(LocalStackError, match="at most 20 accounts"):
        token(stack.issuer, "member", [f"acc_{number}" for number in range(21)])


def test_a_mail_sent_again_is_one_mail_also_over_a_kill(stack: Stack) -> None:
    send(stack, "<receipt-1@piperoll>")
    kill_and_wait(stack, "mail")
    send(stack, "<receipt-1@piperoll>")
    [kept] = [mail for mail in get(f"{stack.mail_url}/mails") if mail["message_id"] == "<receipt-1@piperoll>"]
    assert (kept["to"], kept["subject"], kept["language"], kept["copies"]) == ("ana@example.org", "Recibo", "es", 2)


def test_a_process_stopped_by_an_operator_rests_until_it_is_started(stack: Stack) -> None:
    stack.stop_process("mail")
    with pytest.raises(LocalStackError, match="does not run"):
        stack.pid("mail")
    answer = json.loads(piperoll("status", "--json", "--state", str(stack.state)).stdout)
    assert {each["name"]: each["state"] for each in answer["processes"]}["mail"] == "stopped"
    stack.start_process("mail")
    stack.wait_ready()
    assert get(f"{stack.mail_url}/mails") is not None


def test_status_is_well_while_all_runs(stack: Stack) -> None:
    ran = piperoll("status", "--json", "--state", str(stack.state))
    answer = json.loads(ran.stdout)
    assert (ran.returncode, answer["well"]) == (0, True)
    assert [each["name"] for each in answer["processes"]] != []
    assert all(each["pid"] and each["up_since"] and each["state"] == "ready" for each in answer["processes"])


def test_a_second_stack_in_the_same_folder_is_refused(stack: Stack) -> None:
    with pytest.raises(AlreadyRunningError):
        Stack(stack.state.path, only=("mail",)).start()
    ran = piperoll("up", "--state", str(stack.state))
    assert ran.returncode == 1
    assert "is already running" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_second_stack_in_another_folder_runs_beside_it(stack: Stack, tmp_path: Path) -> None:
    with Stack(tmp_path / "state", only=("postgres", "kafka")) as other:
        assert not set(other.ports.values()) & set(stack.ports.values())
        assert other.admin_dsn != stack.admin_dsn


def test_the_token_command_asks_the_running_stack(stack: Stack) -> None:
    ran = piperoll("token", "member", "--account", "acc_7", "--state", str(stack.state))
    assert claims_of(ran.stdout.strip())["accounts"] == ["acc_7"]


def test_a_second_start_goes_on_with_the_state_on_the_same_ports(tmp_path: Path) -> None:
    with Stack(tmp_path, only=("postgres", "kafka")) as first:
        ports = dict(first.ports)
        pids = [first.pid(name) for name in first.processes]
        with psycopg.connect(first.admin_dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept ()")
    assert [started_mark(pid) for pid in pids] == [None, None]
    with Stack(tmp_path, only=("postgres", "kafka")) as second:
        assert dict(second.ports) == ports
        with psycopg.connect(second.admin_dsn) as connection:
            assert connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)


def test_a_state_folder_with_a_long_name_works(tmp_path: Path) -> None:
    with Stack(tmp_path / ("x" * 120), only=("postgres",)) as deep, psycopg.connect(deep.admin_dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        sockets = deep.admin_dsn.split("host=")[1].split()[0]
    assert not Path(sockets).exists()


def test_a_private_parent_folder_is_passed(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    with Stack(tmp_path / "private" / "state", only=("postgres",)) as stack, psycopg.connect(stack.admin_dsn) as it:
        assert it.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's end")
def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(tmp_path: Path) -> None:
    script = (
        "import os, signal\nfrom pathlib import Path\nfrom deploy.local.stack import Stack\n"
        f"stack = Stack(Path({str(tmp_path)!r}), only=('postgres', 'kafka'))\nstack.start()\n"
        "print(*(stack.pid(name) for name in stack.processes), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    pids = [int(word) for word in ran.stdout.split()]
    assert len(pids) == 2
    with Stack(tmp_path, only=("postgres", "kafka")) as again:
        assert all(started_mark(pid) is None for pid in pids)
        assert again.restarts("postgres") == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, None], ids=["ctrl-c", "sigterm", "piperoll down"])
def test_up_in_the_foreground_stops_with_all_it_started(tmp_path: Path, how: signal.Signals | None) -> None:
    command = [sys.executable, "-m", "services.cli", "up", "--no-services", "--state", str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        said = []
        for line in up.stdout:
            said.append(line)
            if line.startswith("running"):
                break
        status = json.loads(piperoll("status", "--json", "--state", str(tmp_path)).stdout)
        if how is None:
            assert piperoll("down", "--state", str(tmp_path)).returncode == 0
        else:
            up.send_signal(how)
        said.append(up.stdout.read())
    assert up.returncode == 0, said
    assert "stopped; nothing is left running" in said[-1]
    assert len(status["processes"]) == 6
    assert [started_mark(each["pid"]) for each in status["processes"]] == [None] * 6
    assert piperoll("status", "--state", str(tmp_path)).returncode == 1


def test_a_folder_of_another_format_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("99\n")
    ran = piperoll("up", "--state", str(tmp_path))
    assert ran.returncode == 1
    assert "has format 99 and this piperoll reads format" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's servers are the user's own anyway")
def test_postgresql_does_not_run_as_root(stack: Stack) -> None:
    status = Path(f"/proc/{stack.pid('postgres')}/status").read_text()
    assert "Uid:\t0" not in status
