"""A guest that is suspended to memory, and wakes up."""

from __future__ import annotations

import time

import pytest
from qga import AgentError, Client

from vm.conftest import MakeInitramfs
from vm.guest import shell
from vm.rig import VM


def fall_asleep(vm: VM, client: Client) -> None:
    client.send(b'{"execute":"guest-suspend-ram"}\n')
    vm.wait_for(
        lambda: bool(vm.qmp("query-status")["status"] == "suspended"), 30, "it does not sleep"
    )


@pytest.mark.parametrize("more", [(), ("--no-proc-sys", "--agent-args", "-p /dev/vport0p1")],
                         ids=["mounted", "bare"])
def test_suspend_to_memory(initramfs_with: MakeInitramfs, more: tuple[str, ...]) -> None:
    """It sleeps without a reply, and after its wake-up the same client is answered, and a new
    one."""
    with VM(initramfs_with(*more)) as vm:
        client = vm.agent()
        fall_asleep(vm, client)
        with pytest.raises(TimeoutError):
            client.line(0.5)
        vm.qmp("system_wakeup")
        assert client.call("guest-ping", timeout_s=30) == {}
        vm.wait_agent(30)


def test_suspend_to_disk_refused(initramfs_with: MakeInitramfs) -> None:
    """A guest without swap cannot: the error says so, and the guest goes on. Hybrid sleep needs
    somebody else than the kernel."""
    with VM(initramfs_with()) as vm:
        client = vm.agent()
        knows = " disk" in f" {shell(client, 'cat /sys/power/state')}"
        with pytest.raises(AgentError) as caught:
            client.call("guest-suspend-disk", timeout_s=60)
        if knows:
            assert caught.value.desc.startswith("failed to suspend: ")
        else:
            assert caught.value.desc.startswith("the requested suspend mode is not supported")
        with pytest.raises(AgentError) as caught:
            client.call("guest-suspend-hybrid")
        assert caught.value.desc == "the requested suspend mode is not supported by the guest"
        before = time.monotonic()
        assert client.call("guest-ping") == {}
        assert time.monotonic() - before < 5
