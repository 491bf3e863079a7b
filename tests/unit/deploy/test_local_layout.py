"""Which programs a stack has, and what they are told."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.errors import LocalStackError
from deploy.local.folder import StateFolder
from deploy.local.layout import (
    INFRA,
    SERVICES,
    Endpoints,
    Service,
    base_environment,
    chosen,
    port_names,
    service_programs,
)

ENDPOINTS = Endpoints(
    ports={name: 20_000 + number for number, name in enumerate(port_names([*INFRA, *(s.name for s in SERVICES)], {}))},
    sockets=Path("/tmp/sockets"),
    admin_dsn="host=/tmp/sockets user=postgres dbname=postgres",
    people_admin_dsn="host=/tmp/sockets port=5433 user=postgres dbname=postgres",
    bootstrap="127.0.0.1:20001",
    issuer="http://127.0.0.1:20003/piperoll",
    shards=4,
)


def environment_of(name: str, folder: Path, **given: str) -> dict[str, str]:
    state = StateFolder(folder)
    state.secrets.mkdir(exist_ok=True)
    [service] = [each for each in SERVICES if each.name == name]
    return dict(service_programs(service, state, ENDPOINTS, given)[0].env)


def test_everything_runs_unless_told_otherwise() -> None:
    assert chosen(None, True, {}) == [*INFRA, *(each.name for each in SERVICES)]
    assert chosen(None, False, {}) == list(INFRA)
    assert chosen(("postgres",), True, {}) == ["postgres"]


def test_servers_that_are_there_already_are_not_started() -> None:
    given = {
        "PIPEROLL_POSTGRES_DSN": "host=db",
        "PIPEROLL_KAFKA_BOOTSTRAP": "k:9092",
        "PIPEROLL_OIDC_ISSUER": "http://i",
    }
    assert chosen(None, False, given) == ["mail", "card"]


def test_an_unknown_program_is_refused() -> None:
    with pytest.raises(LocalStackError, match="no program is called oracle"):
        chosen(("oracle",), True, {})


def test_a_service_is_told_its_own_database_and_role(tmp_path: Path) -> None:
    told = environment_of("billing", tmp_path)
    assert "user=piperoll_billing dbname=piperoll_billing" in told["PIPEROLL_POSTGRES_DSN"]
    assert "user=piperoll_billing dbname=piperoll_people host=/tmp/sockets port=5433" in told["PIPEROLL_PEOPLE_DSN"]
    assert told["PIPEROLL_SERVICE"] == "billing"
    assert told["PIPEROLL_PROFILE"] == "local"
    assert told["PIPEROLL_CARD_WEBHOOK_SECRET"].startswith("whsec_")


def test_settings_and_faults_of_the_user_pass_through(tmp_path: Path) -> None:
    given = {"PIPEROLL_KAFKA_SECURITY_PROTOCOL": "SSL", "PIPEROLL_FAULTS": "x=1", "PGHOST": "elsewhere"}
    told = environment_of("ledger", tmp_path, **given)
    assert (told["PIPEROLL_KAFKA_SECURITY_PROTOCOL"], told["PIPEROLL_FAULTS"]) == ("SSL", "x=1")
    assert "PGHOST" not in told


def test_several_http_gateways_share_one_port(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.secrets.mkdir()
    gateways = service_programs(SERVICES[0], state, ENDPOINTS, {"PIPEROLL_GATEWAY_PROCESSES": "2"})
    assert [program.name for program in gateways] == ["gateway-http", "gateway-http-2"]
    assert len({program.port for program in gateways}) == 1
    assert len({program.env["PIPEROLL_INSTANCE"] for program in gateways}) == 2


def test_several_workers_have_a_name_an_instance_a_port_and_a_log_each(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.secrets.mkdir()
    given = {"PIPEROLL_LEDGER_PROCESSES": "3"}
    assert port_names(["ledger", "billing"], given) == ["ledger", "ledger-2", "ledger-3", "billing"]
    ports = {name: 21_000 + number for number, name in enumerate(port_names(["ledger"], given))}
    [service] = [each for each in SERVICES if each.name == "ledger"]
    workers = service_programs(service, state, replace(ENDPOINTS, ports=ports), given)
    assert [program.name for program in workers] == ["ledger", "ledger-2", "ledger-3"]
    assert [program.env["PIPEROLL_INSTANCE"] for program in workers] == ["ledger-1", "ledger-2", "ledger-3"]
    assert [program.port for program in workers] == [21_000, 21_001, 21_002]
    assert [program.env["PIPEROLL_HTTP_PORT"] for program in workers] == ["21000", "21001", "21002"]
    assert len({program.log for program in workers}) == 3


@pytest.mark.parametrize("service", [each for each in SERVICES if each.setting], ids=lambda each: each.name)
@pytest.mark.parametrize("text", ["0", "-1", "two", "65"])
def test_a_senseless_number_of_processes_is_refused(tmp_path: Path, service: Service, text: str) -> None:
    with pytest.raises(LocalStackError, match=service.setting):
        service_programs(service, StateFolder(tmp_path), ENDPOINTS, {service.setting: text})


def test_our_tree_comes_first_on_the_python_path() -> None:
    first = base_environment({"PYTHONPATH": "/elsewhere"})["PYTHONPATH"].split(":")[0]
    assert (Path(first) / "deploy" / "local").is_dir()
