"""Suspending, by programs and files of ours: nothing here may ever reach the machine's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from agent_process import Agent, wait_until
from conftest import StartAgent
from namespace import in_namespace
from qga import AgentError, Client

UNSUPPORTED = "the requested suspend mode is not supported by the guest"
MODES = {
    "ram": ("suspend", "pm-suspend", "--suspend", "mem"),
    "disk": ("hibernate", "pm-hibernate", "--hibernate", "disk"),
    "hybrid": ("hybrid-sleep", "pm-suspend-hybrid", "--suspend-hybrid", ""),
}


class Machine:
    """An agent whose PATH begins with our programs, and whose /sys/power and /run are ours."""

    def __init__(self, start_agent: StartAgent, folder: Path) -> None:
        self.bin, self.power, self.run = folder / "bin", folder / "power", folder / "run"
        for path in (self.bin, self.power, self.run):
            path.mkdir()
        (self.power / "state").write_text("\n")
        self.log = folder / "log"
        self.log.touch()
        # Without a file there, the agent would look for the kernel's own.
        self.agent: Agent = start_agent(
            wrapper=in_namespace({self.power: "/sys/power", self.run: "/run"}),
            env={**os.environ, "PATH": f"{self.bin}:/usr/bin:/bin"},
        )

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log}\n{script}\n')
        path.chmod(0o755)

    def boot_systemd(self) -> None:
        (self.run / "systemd" / "system").mkdir(parents=True)

    def suspend(self, mode: str) -> str | None:
        """Ask for it; the error's text, or None for none, which is no reply."""
        with self.agent.client() as client:
            client.send(b'{"execute":"guest-suspend-%s"}' % mode.encode())
            return error_before_pong(client)

    @property
    def calls(self) -> list[str]:
        return [line.strip() for line in self.log.read_text().splitlines()]


def error_before_pong(client: Client) -> str | None:
    """The error of what was sent, if it has one, by the pong of a ping behind it."""
    reply = client.request({"execute": "guest-ping"})
    if "error" not in reply:
        assert reply == {"return": {}}
        return None
    assert reply["error"]["class"] == "GenericError"
    assert client.line() == b'{"return": {}}\n'
    return str(reply["error"]["desc"])


@pytest.fixture
def machine(start_agent: StartAgent, tmp_path: Path, agent_path: Path) -> Machine:
    if agent_path.name == "qemu-ga":
        pytest.skip("which programs QEMU's agent asks first is not for sure")
    # Hidden by programs that refuse, whatever this machine has.
    made = Machine(start_agent, tmp_path)
    for name in ("systemctl", "pm-is-supported"):
        made.program(name, "exit 1")
    return made


@pytest.mark.parametrize("mode", MODES)
def test_nobody_can(machine: Machine, mode: str) -> None:
    """Where nobody knows the mode, that is the answer; systemctl is not asked without systemd."""
    assert machine.suspend(mode) == UNSUPPORTED
    assert machine.calls == [f"pm-is-supported {MODES[mode][2]}"]


@pytest.mark.parametrize("mode", MODES)
def test_systemd(machine: Machine, mode: str) -> None:
    """systemd is asked first, and then nobody else; there is no reply."""
    machine.boot_systemd()
    machine.program("systemctl", "exit 0")
    (machine.power / "state").write_text("freeze mem disk\n")
    assert machine.suspend(mode) is None
    assert machine.calls == [f"systemctl {MODES[mode][0]}"]
    assert (machine.power / "state").read_text() == "freeze mem disk\n"


@pytest.mark.parametrize("mode", MODES)
def test_pm_utils(machine: Machine, mode: str) -> None:
    """pm-utils are next, if they know the mode."""
    machine.boot_systemd()
    machine.program("pm-is-supported", "exit 0")
    machine.program(MODES[mode][1], "exit 0")
    (machine.power / "state").write_text("mem disk\n")
    assert machine.suspend(mode) is None
    assert machine.calls == [
        f"systemctl {MODES[mode][0]}", f"pm-is-supported {MODES[mode][2]}", MODES[mode][1]
    ]
    assert (machine.power / "state").read_text() == "mem disk\n"


@pytest.mark.parametrize("mode", ["ram", "disk"])
def test_kernel(machine: Machine, mode: str) -> None:
    """The kernel is last, in one write of its word; hybrid it does not know."""
    word = MODES[mode][3]
    (machine.power / "state").write_text(f"freeze {word}\n")
    assert machine.suspend(mode) is None
    # This file, other than the kernel's, is overwritten from its beginning.
    assert (machine.power / "state").read_text() == f"{word}{f'freeze {word}'[len(word):]}\n"


@pytest.mark.parametrize(
    "states", ["", "\n", "freeze\n", "memory standby\n", "diskmem\n", "x" * 999]
)
def test_kernel_does_not_know(machine: Machine, states: str) -> None:
    """A mode is known only as a whole word."""
    (machine.power / "state").write_text(states)
    for mode in MODES:
        assert machine.suspend(mode) == UNSUPPORTED
    (machine.power / "state").write_text("freeze mem disk\n")
    assert machine.suspend("hybrid") == UNSUPPORTED


def test_kernel_refuses(machine: Machine) -> None:
    """A write that fails is an error with its reason, as is a refusal of systemd's."""
    state = machine.power / "state"
    machine.boot_systemd()
    machine.program("systemctl", "echo nothing to sleep on >&2; exit 1")
    assert machine.suspend("disk") == "failed to suspend: nothing to sleep on"
    machine.program("systemctl", "exit 1")
    state.write_text("mem disk\n")
    if subprocess.run(["chattr", "+i", state], stderr=subprocess.DEVNULL).returncode == 0:
        try:
            assert machine.suspend("disk") == "failed to suspend: Operation not permitted"
        finally:
            subprocess.run(["chattr", "-i", state], check=True)


def test_others_are_served(machine: Machine) -> None:
    """While the guest falls asleep the agent waits without reading the next request, and the next
    request is answered behind it."""
    machine.boot_systemd()
    gate = machine.run / "gate"
    os.mkfifo(gate)
    machine.program("systemctl", f"read x < {gate}")
    with machine.agent.client() as client:
        client.send(b'{"execute":"guest-suspend-ram"}{"execute":"guest-ping"}')
        wait_until(lambda: bool(machine.agent.children()), "systemctl runs")
        with pytest.raises(TimeoutError):
            client.line(0.3)
        gate.write_text("go\n")
        assert client.line() == b'{"return": {}}\n'


@pytest.mark.ours
def test_arguments(shared_agent: Agent) -> None:
    """They take none; refused before anything else."""
    with shared_agent.client() as client:
        for mode in MODES:
            with pytest.raises(AgentError) as caught:
                client.call(f"guest-suspend-{mode}", x=1)
            assert caught.value.desc == "Parameter 'x' is unexpected"
