"""guest-shutdown in each mode, whoever is process 1."""

from __future__ import annotations

import pytest

from vm.conftest import MakeInitramfs
from vm.rig import VM

BUSYBOX = ("--init", "busybox")
SHELL = ("--init", "shell")
BARE_SHELL = (*SHELL, "--without", "poweroff", "--without", "halt", "--without", "reboot")
FAREWELL = {
    "powerdown": "reboot: Power down",
    "reboot": "reboot: Restarting system",
    "halt": "reboot: System halted",
}


def send_shutdown(vm: VM, mode: str) -> None:
    client = vm.agent()
    if mode == "default":
        client.send(b'{"execute":"guest-shutdown"}')
    else:
        client.send(b'{"execute":"guest-shutdown","arguments":{"mode":"%s"}}' % mode.encode())


@pytest.mark.parametrize("mode", ["default", "powerdown", "reboot", "halt"])
@pytest.mark.parametrize(
    "init", [BUSYBOX, SHELL, BARE_SHELL], ids=["busybox", "shell", "bare-shell"]
)
def test_mode(initramfs_with: MakeInitramfs, init: tuple[str, ...], mode: str) -> None:
    """The machine ends as asked under busybox's init, and by reboot(2) where process 1 is a
    script that knows no signals, with busybox's applets or without them."""
    with VM(initramfs_with(*init)) as vm:
        send_shutdown(vm, mode)
        vm.wait_console(FAREWELL["powerdown" if mode == "default" else mode], 20)
        if mode != "halt":
            assert vm.wait_exit(10) == 0
        else:
            assert vm.process and vm.process.poll() is None


def test_guest_boots_again(initramfs_with: MakeInitramfs) -> None:
    """After a reboot the agent of the new boot answers on the same port."""
    with VM(initramfs_with(*BUSYBOX), options=("--allow-reboot",)) as vm:
        boot_id = vm.agent().call("tinyqga-health")["boot-id"]
        send_shutdown(vm, "reboot")
        vm.wait_console(FAREWELL["reboot"], 20)
        vm.wait_agent()
        assert vm.agent().call("tinyqga-health")["boot-id"] != boot_id


def test_sender_need_not_stay(initramfs_with: MakeInitramfs) -> None:
    """Scripts send the request and hang up: it is carried out all the same."""
    with VM(initramfs_with(*BUSYBOX)) as vm:
        client = vm.agent()
        client.send(b'{"execute":"guest-shutdown"}\n')
        client.sock.shutdown(1)
        vm.wait_exit(20)
        assert FAREWELL["powerdown"] in vm.console()
