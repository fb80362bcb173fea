"""An idle agent never wakes: its context switches over ten seconds, counted in the guest."""

from __future__ import annotations

import pytest

from vm.guest import agent_pid, collect, second_agent, shell
from vm.rig import VM

SECONDS = 10
SAMPLE_LIMIT_S = 45.0


def start_sampling(vm: VM, label: str, *more_pids: int) -> int:
    """Let the guest count the wake-ups of the agent (and others); the sampler's pid."""
    client = vm.agent()
    pids = [str(pid) for pid in (agent_pid(client), *more_pids)]
    sampler = ["/bin/sample-wakeups", label, str(SECONDS), *pids]
    pid: int = client.call("guest-exec", path=sampler[0], arg=sampler[1:])["pid"]
    return pid


def wakeups(vm: VM, label: str) -> list[int]:
    """The wake-ups that the sampler reports on the console, a process each."""
    pattern = rf"wakeups {label} before ([\d ]+) after ([\d ]+)end"
    match = vm.wait_console(pattern, SAMPLE_LIMIT_S)
    before, after = ([int(word) for word in match[group].split()] for group in (1, 2))
    return [late - early for early, late in zip(before, after, strict=True)]


def test_disconnected(vm: VM) -> None:
    """With nobody on the host's side the port reports a hang-up for ever: that wakes nobody."""
    sampler = start_sampling(vm, "disconnected")
    vm.hang_up()
    assert wakeups(vm, "disconnected") == [0]
    collect(vm.agent(), sampler)


def test_connected_and_silent(vm: VM) -> None:
    """A client that stays and says nothing costs nothing."""
    sampler = start_sampling(vm, "silent")
    assert wakeups(vm, "silent") == [0]
    collect(vm.agent(), sampler)


@pytest.mark.parametrize("connected", [False, True], ids=["disconnected", "connected"])
def test_silent_program(vm: VM, connected: bool) -> None:
    """A program that runs, captured, and prints nothing is waited for, not looked after."""
    client = vm.agent()
    pid = client.call("guest-exec", path="sleep", arg=["1000"], capture_output=True)["pid"]
    label = f"program-{connected}"
    sampler = start_sampling(vm, label)
    if not connected:
        vm.hang_up()
    assert wakeups(vm, label) == [0]
    client = vm.agent()
    shell(client, f"kill {pid}")
    collect(client, pid)
    collect(client, sampler)


def test_waiting_exec_read(vm: VM) -> None:
    """A request that waits for output waits in the poll, and is answered when output comes."""
    client = vm.agent()
    rows = client.call("guest-info")["supported_commands"]
    if "tinyqga-exec-read" not in {row["name"] for row in rows}:
        pytest.skip("not served yet: tinyqga-exec-read")
    pid = client.call("tinyqga-exec", path="sleep", arg=["1000"], capture_output=True)["pid"]
    sampler = start_sampling(vm, "exec-read")
    client = vm.agent()
    client.send(
        b'{"execute":"tinyqga-exec-read","arguments":{"pid":%d,"wait-ms":60000}}\n' % pid
    )
    assert wakeups(vm, "exec-read") == [0]
    assert client.call("guest-ping") == {"exited": False}
    assert client.line() == b'{"return": {}}\n'
    shell(client, f"kill {pid}")
    collect(client, pid)
    collect(client, sampler)


def test_agent_without_its_port(vm: VM) -> None:
    """An agent whose port is not there (yet) waits for it without looking again and again."""
    arguments = ("-p", "/dev/virtio-ports/org.tinyqga.absent.0", "-t", "/run/absent")
    with second_agent(vm, *arguments) as pid:
        sampler = start_sampling(vm, "absent", pid)
        assert wakeups(vm, "absent") == [0, 0]
        collect(vm.agent(), sampler)


def test_serial_line(vm: VM) -> None:
    """A silent isa-serial line, where the host may be connected or not, wakes nobody."""
    arguments = ("-m", "isa-serial", "-p", "/dev/ttyS1", "-t", "/run/serial")
    with second_agent(vm, *arguments) as pid:
        vm.wait_agent(15, vm.serial_path)
        sampler = start_sampling(vm, "serial", pid)
        assert wakeups(vm, "serial") == [0, 0]
        collect(vm.agent(), sampler)
