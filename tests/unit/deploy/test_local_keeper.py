"""A keeper starts its program again when it ends, and lets it rest when it was stopped."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.local.errors import LocalStackError
from deploy.local.keeper import Keeper
from deploy.local.leftovers import is_alive, started_mark, sweep
from deploy.local.program import Program


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


def shell(folder: Path, script: str, *, ready: bool = True, stop_timeout_s: float = 5.0) -> Program:
    return Program(
        name="shell",
        argv=("/bin/sh", "-c", script),
        env={"PATH": os.environ["PATH"]},
        probe=yes if ready else no,
        log=folder / "shell.log",
        stop_timeout_s=stop_timeout_s,
    )


@pytest.fixture
async def keepers() -> AsyncIterator[list[Keeper]]:
    kept: list[Keeper] = []
    yield kept
    for keeper in kept:
        await keeper.stop()


async def started(keepers: list[Keeper], program: Program) -> Keeper:
    keeper = Keeper(program, lambda: None)
    keepers.append(keeper)
    keeper.start()
    await until(lambda: keeper.running is not None)
    return keeper


async def until(holds: Callable[[], bool], within_s: float = 10.0) -> None:

    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_killed_program_is_started_again(tmp_path: Path, keepers: list[Keeper]) -> None:
    keeper = await started(keepers, shell(tmp_path, "exec sleep 60"))
    assert keeper.running is not None
    first = keeper.running.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: keeper.running is not None and keeper.running.pid != first)
    assert keeper.restarts == 1


async def test_a_stopped_program_rests_until_it_is_started(tmp_path: Path, keepers: list[Keeper]) -> None:
    keeper = await started(keepers, shell(tmp_path, "exec sleep 60"))
    await keeper.stop()
    assert keeper.running is None
    await asyncio.sleep(0.3)
    assert (keeper.running, keeper.wanted) == (None, False)
    keeper.start()
    await until(lambda: keeper.running is not None)
    assert keeper.restarts == 0


async def test_a_program_that_does_not_listen_is_killed(tmp_path: Path, keepers: list[Keeper]) -> None:
    program = shell(tmp_path, "trap '' TERM; echo deaf; while :; do sleep 1; done", stop_timeout_s=0.3)
    keeper = await started(keepers, program)
    await until(lambda: "deaf" in program.log.read_text())
    assert keeper.running is not None
    pid, mark = keeper.running.pid, keeper.running.started
    await keeper.stop()
    assert not is_alive(pid, mark)


async def test_a_program_that_always_ends_is_given_up_with_its_last_words(
    tmp_path: Path, keepers: list[Keeper]
) -> None:
    keeper = Keeper(shell(tmp_path, "echo no such table >&2; exit 3", ready=False), lambda: None)
    keepers.append(keeper)
    keeper.start()
    with pytest.raises(LocalStackError, match=r"shell ends right after its start \(exit code 3\).*no such table"):
        await keeper.wait_ready(asyncio.get_running_loop().time() + 20)


async def test_a_program_that_is_never_ready_is_named_at_the_deadline(tmp_path: Path, keepers: list[Keeper]) -> None:
    keeper = await started(keepers, shell(tmp_path, "exec sleep 60", ready=False))
    with pytest.raises(LocalStackError, match="shell is not ready in time"):
        await keeper.wait_ready(asyncio.get_running_loop().time() + 0.2)


async def test_a_program_that_cannot_be_run_is_written_down(tmp_path: Path, keepers: list[Keeper]) -> None:
    program = Program("ghost", ("/no/such/program",), {}, no, tmp_path / "ghost.log")
    keeper = Keeper(program, lambda: None)
    keepers.append(keeper)
    keeper.start()
    with pytest.raises(LocalStackError, match=r"ghost ends right after.*could not be started"):
        await keeper.wait_ready(asyncio.get_running_loop().time() + 20)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's end")
def test_a_program_ends_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    supervisor = f"""
        import asyncio, os, signal
        from pathlib import Path
        from deploy.local.keeper import Keeper
        from deploy.local.program import Program
        async def yes(): return True
        async def main():
            program = Program("s", ("/bin/sleep", "60"), {{}}, yes, Path({str(tmp_path)!r}) / "s.log")
            keeper = Keeper(program, lambda: None)
            keeper.start()
            while keeper.running is None:
                await asyncio.sleep(0.01)
            print(keeper.running.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """
    root = Path(__file__).resolve().parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(supervisor)], cwd=root, capture_output=True, text=True, check=False
    )
    pid = int(ran.stdout)
    deadline = time.monotonic() + 5
    while started_mark(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_sweep_ends_what_is_ours_and_spares_a_stranger_with_the_same_pid() -> None:
    ours = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    stranger = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    try:
        left = {
            "ours": {"pid": ours.pid, "started": started_mark(ours.pid)},
            "stranger": {"pid": stranger.pid, "started": "another boot:1"},
            "gone": {"pid": None, "started": None},
        }
        assert sweep(left) == ["ours"]
        assert ours.wait(timeout=5) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        for process in (ours, stranger):
            process.kill()
            process.wait()
