"""Ports are chosen once, remembered, and chosen again when somebody took one."""

import socket
from pathlib import Path

from deploy.local.ports import is_free, settle_ports


def test_ports_are_remembered(tmp_path: Path) -> None:
    first = settle_ports(tmp_path / "stack.json", ("kafka", "card"))
    assert first["kafka"] != first["card"]
    assert settle_ports(tmp_path / "stack.json", ("kafka", "card")) == first


def test_only_the_asked_ports_are_returned_and_the_others_stay_remembered(tmp_path: Path) -> None:
    first = settle_ports(tmp_path / "stack.json", ("kafka", "card"))
    assert settle_ports(tmp_path / "stack.json", ("kafka",)) == {"kafka": first["kafka"]}
    assert settle_ports(tmp_path / "stack.json", ("card",)) == {"card": first["card"]}


def test_a_taken_port_is_chosen_again(tmp_path: Path) -> None:
    taken = settle_ports(tmp_path / "stack.json", ("kafka",))["kafka"]
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", taken))
        stranger.listen()
        assert not is_free(taken)
        assert settle_ports(tmp_path / "stack.json", ("kafka",))["kafka"] != taken


def test_a_damaged_memory_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"ports": {"kafka": "x"}')
    assert settle_ports(tmp_path / "stack.json", ("kafka",))["kafka"] > 0
