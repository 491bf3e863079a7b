"""What no linter knows: file words, sizes, bare Kafka clients, clocks, floats, addresses, pointers out of here.

`tidy_ratchet.toml` lists what was too large when it was written down. It may only shrink: an entry equals the present
size, and an entry that is no longer needed is removed.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RATCHET = Path(__file__).with_name("tidy_ratchet.toml")
SERVICES = ("gateway", "billing", "ledger", "notifier")
MODULE_LINES = 300
FUNCTION_LINES = 50

EVERYWHERE = {"__init__", "app", "config", "domain", "migrations", "projections"}
WORDS = {
    "gateway": {"http", "portal", "inbox", "worker", "errors", "append", "plan", "statements", "alarms"},
    "billing": {"inbox", "handlers", "effects", "schedule", "policies", "rails", "files"},
    "ledger": {
        "inbox",
        "handlers",
        "http",
        "reconciliation",
        "journals",
        "audit",
        "alarms",
        "checks",
        "errors",
        "publishing",
    },
    "notifier": {"inbox", "handlers", "effects", "channels", "templates"},
}  # fmt: skip
IMPURE = {"asyncio", "datetime.now", "logging", "os", "random", "secrets", "socket", "structlog", "subprocess", "time"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
KAFKA = {"aiokafka", "faststream"}


@cache
def tracked() -> tuple[Path, ...]:
    """Return the repository's files: what git knows or would add."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    return tuple(sorted(path for name in listed if name and (path := ROOT / name).is_file()))


def modules(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Return the top-level names of what a module imports."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each call as `object.attribute`, with its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            holder = node.func.value
            name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
            yield f"{name}.{node.func.attr}", node.lineno


def is_domain(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return parts[0] == "services" and "domain" in parts


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_only_the_rooms_that_every_wing_has(service: str) -> None:
    folder = ROOT / "services" / service
    found = {path.relative_to(folder).parts[0].partition(".")[0] for path in tracked() if folder in path.parents}
    assert found - EVERYWHERE - WORDS[service] == set()


def too_large() -> dict[str, dict[str, int]]:
    """Return the modules and functions over their limits, with their lines."""
    large_modules: dict[str, int] = {}
    large_functions: dict[str, int] = {}
    for path in modules("services", "shared", "deploy"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES:
            large_modules[shown(path)] = lines
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > FUNCTION_LINES:
                    large_functions[f"{shown(path)}:{node.name}"] = length
    return {"modules": large_modules, "functions": large_functions}


@pytest.mark.parametrize("kind", ["modules", "functions"])
def test_sizes_stay_under_their_limits_and_the_ratchet_only_shrinks(kind: str) -> None:
    listed = tomllib.loads(RATCHET.read_text(encoding="utf-8"))[kind]
    assert too_large()[kind] == listed


def test_kafka_clients_are_made_in_one_place() -> None:
    bare = [shown(path) for path in modules("services", "shared", "deploy") if imports(path) & KAFKA]
    assert [name for name in bare if not name.startswith("shared/kafka/")] == []


def test_services_and_shared_read_the_time_through_the_clock() -> None:
    read = [
        f"{shown(path)}:{line} {call}"
        for path in modules("services", "shared")
        if shown(path) != "shared/clock.py"
        for call, line in calls(path)
        if call in CLOCKS
    ]
    assert read == []


def test_no_time_is_naive() -> None:
    naive = [
        f"{shown(path)}:{node.lineno}"
        for path in modules("services", "shared", "deploy", "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "datetime"
        and len(node.args) < 8
        and not any(keyword.arg in ("tzinfo", None) for keyword in node.keywords)
    ]
    assert naive == []


def test_no_domain_knows_floats() -> None:
    floats = [
        f"{shown(path)}:{node.lineno}"
        for path in modules("services")
        if is_domain(path)
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
    ]
    assert floats == []


def test_no_domain_reads_clock_chance_or_world() -> None:
    impure = {shown(path): imports(path) & IMPURE for path in modules("services") if is_domain(path)}
    assert {name: found for name, found in impure.items() if found} == {}


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        if path.suffix != ".sha256":
            yield path, path.read_text(encoding="utf-8", errors="ignore")


def found_in_texts(pattern: re.Pattern[str]) -> list[str]:
    return [f"{shown(path)}: {match[0]}" for path, text in texts() for match in pattern.finditer(text)]


def test_no_registrys_address_is_written_anywhere() -> None:
    hosts = [
        "pypi" + r"\.org",
        "python" + "hosted",
        "repo1?" + r"\.maven",
        "registry" + r"\.npm",
        "proxy" + r"\.golang",
    ]
    options = ["index" + "[-_]url", "trusted" + "-host"]
    assert found_in_texts(re.compile("|".join(hosts + options), re.IGNORECASE)) == []


def test_nothing_points_out_of_the_repository() -> None:
    pointers = [r"\.\./" + "shared", "/work" + "/main", "/work" + "/shared", r"\b" + "research" + r"/[\w-]+\.md"]
    notes = ["DESIGN" + r"\.md", "STYLE" + r"\.md", r"\bDESIGN " + "§"]
    assert found_in_texts(re.compile("|".join(pointers + notes))) == []


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = re.compile(r"(^|/)(utils?|helpers?|misc|common)(\.py|/)")
    assert [
        shown(path) for path in modules("services", "shared", "deploy", "tests") if drawers.search(shown(path))
    ] == []


def test_every_public_function_of_shared_says_what_its_signature_cannot() -> None:
    silent = [
        f"{shown(path)}:{node.name}"
        for path in modules("shared")
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in modules("services", "shared", "deploy") if ast.get_docstring(tree(path)) is None]
    assert [shown(path) for path in silent] == []
