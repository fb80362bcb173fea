"""The watchdog: it resets a guest whose agent hangs, and no other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from qga import AgentError, Client

from vm.conftest import MakeInitramfs
from vm.guest import agent_pid, shell
from vm.rig import VM

SET = "guest-set-watchdog-timeout"
TIMEOUT_S = 4
# The device runs its timeout in two stages, and TCG is slow.
GRACE_S = 25.0


@contextmanager
def guest(initramfs_with: MakeInitramfs, *options: str) -> Iterator[VM]:
    """A guest with QEMU's watchdog card, which tells QEMU's monitor instead of resetting."""
    initramfs = initramfs_with("--kernel", "generic", "--module", "i6300esb", *options)
    with VM(
        initramfs, options=("--kernel", "generic"), memory_mib=384,
        qemu=("-device", "i6300esb", "-watchdog-action", "none"),
    ) as vm:
        yield vm


def barks(vm: VM, seconds: float) -> bool:
    """Does it go off within so many seconds?"""
    assert vm.monitor
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        vm.qmp("query-status")  # brings the events along
        if any(event["event"] == "WATCHDOG" for event in vm.monitor.events):
            return True
        time.sleep(0.1)
    return False


def hang(client: Client) -> None:
    """Stop the agent, which may no longer tell that it started what stops it."""
    arguments = {"path": "kill", "arg": ["-STOP", str(agent_pid(client))]}
    client.send(json.dumps({"execute": "guest-exec", "arguments": arguments}).encode())


def test_hanging_agent(initramfs_with: MakeInitramfs) -> None:
    """It stays quiet while the agent is idle, busy, or waits for a program of its own, and goes
    off once the agent hangs."""
    with guest(initramfs_with) as vm:
        client = vm.agent()
        assert not barks(vm, TIMEOUT_S)
        assert client.call(SET, timeout=TIMEOUT_S) == {}
        assert not barks(vm, 3 * TIMEOUT_S)
        until = time.monotonic() + 2 * TIMEOUT_S
        while time.monotonic() < until:
            client.call("guest-ping")
        shell(client, "printf '#!/bin/sh\\nsleep 9\\n' > /bin/chpasswd; chmod 755 /bin/chpasswd")
        client.call("guest-set-user-password", username="x", password="eA==", crypted=False)
        assert not barks(vm, 0.1)
        hang(client)
        assert barks(vm, GRACE_S)


def test_disarmed(initramfs_with: MakeInitramfs) -> None:
    """After timeout 0, and after a deliberate end of the agent, a guest without an agent is left
    alone; a killed agent is none that ended deliberately."""
    with guest(initramfs_with, "--init", "shell") as vm:
        client = vm.agent()
        client.call(SET, timeout=TIMEOUT_S)
        client.call(SET, timeout=0)
        client.call(SET, timeout=0)
        pid = agent_pid(client)
        stop = f"kill -STOP {pid}; sleep {4 * TIMEOUT_S}; kill -CONT {pid}"
        client.call("guest-exec", path="sh", arg=["-c", stop])
        assert not barks(vm, 4 * TIMEOUT_S)
        client = vm.agent(60)
        client.call(SET, timeout=TIMEOUT_S)
        # The agent that follows it knows nothing of the watchdog.
        client.call("guest-exec", path="kill", arg=[str(agent_pid(client))])
        assert not barks(vm, 4 * TIMEOUT_S)
        client = vm.agent(60)
        client.call(SET, timeout=TIMEOUT_S)
        client.call("guest-exec", path="kill", arg=["-KILL", str(agent_pid(client))])
        assert barks(vm, GRACE_S)


def failure(client: Client, timeout: int) -> str:
    with pytest.raises(AgentError) as caught:
        client.call(SET, timeout=timeout)
    return caught.value.desc


def test_range_and_node(initramfs_with: MakeInitramfs) -> None:
    """What the driver does not take changes nothing, armed or not; the node is made if /dev lacks
    it; a watchdog that somebody else has is an error that says so."""
    invalid = "failed to set watchdog timeout: Invalid argument"
    with guest(initramfs_with) as vm:
        client = vm.agent()
        for timeout in (3_000, 2**31 - 1):
            assert failure(client, timeout) == invalid
        attribute = "/sys/class/watchdog/watchdog0"
        assert shell(client, f"cat {attribute}/state").strip() == "inactive"
        shell(client, "rm /dev/watchdog /dev/watchdog0")
        assert client.call(SET, timeout=TIMEOUT_S) == {}
        assert failure(client, 3_000) == invalid
        assert failure(client, -1) == invalid
        assert shell(client, f"cat {attribute}/timeout").strip() == str(TIMEOUT_S)
        assert shell(client, f"cat {attribute}/state").strip() == "active"
        assert not barks(vm, 2 * TIMEOUT_S)
        assert client.call(SET, timeout=60) == {}
        assert shell(client, f"cat {attribute}/timeout").strip() == "60"
        assert client.call(SET, timeout=0) == {}
        assert shell(client, f"cat {attribute}/state").strip() == "inactive"
        shell(client, "exec 9>/dev/watchdog0; sleep 600 </dev/null >/dev/null 2>&1 & sleep 0.2")
        assert failure(client, 60) == "failed to set watchdog timeout: Device or resource busy"


def test_reset(initramfs_with: MakeInitramfs) -> None:
    """The machine is reset: QEMU ends, which it does on a reset here."""
    with guest(initramfs_with) as vm:
        vm.qmp("set-action", watchdog="reset")
        client = vm.agent()
        client.call(SET, timeout=TIMEOUT_S)
        hang(client)
        assert vm.wait_exit(GRACE_S) == 0


def test_nowayout(initramfs_with: MakeInitramfs) -> None:
    """A watchdog that cannot be stopped any more is an error, and is fed on."""
    with guest(initramfs_with) as vm:
        client = vm.agent()
        shell(client, "rmmod i6300esb; insmod /lib/modules/i6300esb.ko nowayout=1")
        client.call(SET, timeout=TIMEOUT_S)
        assert failure(client, 0) == "failed to set watchdog timeout: Device or resource busy"
        assert not barks(vm, 3 * TIMEOUT_S)
