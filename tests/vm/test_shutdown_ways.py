"""Which way guest-shutdown takes: a program, a signal to process 1, or the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from qga import AgentError

from vm.conftest import MakeInitramfs
from vm.rig import VM

BARE = ("--no-proc-sys", "--agent-args", "-p /dev/vport0p1")
INIT_SAYS = "The system is going down NOW!"
KERNEL_SAYS = "reboot: Power down"


def script(folder: Path, text: str) -> str:
    """An option that makes text the guest's /sbin/shutdown."""
    path = folder / "shutdown"
    path.write_text(text)
    path.chmod(0o755)
    return f"{path}:/sbin/shutdown"


@pytest.mark.parametrize("more", [(), BARE], ids=["mounted", "bare"])
def test_busybox_init_is_asked(initramfs_with: MakeInitramfs, more: tuple[str, ...]) -> None:
    """Its shutdown actions run, also where /proc does not show who process 1 is."""
    with VM(initramfs_with(*more)) as vm:
        vm.agent().send(b'{"execute":"guest-shutdown"}')
        assert vm.wait_exit(20) == 0
        assert INIT_SAYS in vm.console()
        assert KERNEL_SAYS in vm.console()


def test_script_as_init_is_not(initramfs_with: MakeInitramfs) -> None:
    """busybox's shell runs it, but that is no init."""
    with VM(initramfs_with("--init", "shell", *BARE)) as vm:
        vm.agent().send(b'{"execute":"guest-shutdown"}')
        assert vm.wait_exit(20) == 0
        assert INIT_SAYS not in vm.console()
        assert KERNEL_SAYS in vm.console()


@pytest.mark.parametrize("mode, flag", [("powerdown", "-P"), ("halt", "-H"), ("reboot", "-r")])
def test_shutdown_program(
    initramfs_with: MakeInitramfs, tmp_path: Path, mode: str, flag: str
) -> None:
    """It gets the words that QEMU's agent gives it, and nothing else happens."""
    says = 'for word; do echo "word=$word" >/dev/console; done'
    added = script(tmp_path, f"#!/bin/sh\n{says}\n")
    with VM(initramfs_with("--add", added)) as vm:
        client = vm.agent()
        client.send(b'{"execute":"guest-shutdown","arguments":{"mode":"%s"}}' % mode.encode())
        vm.wait_console("word=hypervisor initiated shutdown", 10)
        words = [line[5:].strip() for line in vm.console().splitlines() if line[:5] == "word="]
        assert words == ["-h", flag, "+0", "hypervisor initiated shutdown"]
        assert client.call("guest-ping") == {}


def test_shutdown_program_fails(initramfs_with: MakeInitramfs, tmp_path: Path) -> None:
    """Its refusal is the answer."""
    added = script(tmp_path, "#!/bin/sh\necho not today >&2\nexit 1\n")
    with VM(initramfs_with("--add", added)) as vm:
        client = vm.agent()
        with pytest.raises(AgentError, match="child process has failed to shutdown: not today"):
            client.call("guest-shutdown")
        assert client.call("guest-ping") == {}


def test_shutdown_program_cannot_run(initramfs_with: MakeInitramfs, tmp_path: Path) -> None:
    """One whose interpreter is missing is as good as none."""
    added = script(tmp_path, "#!/no/such/interpreter\n")
    with VM(initramfs_with("--add", added)) as vm:
        vm.agent().send(b'{"execute":"guest-shutdown"}')
        assert vm.wait_exit(20) == 0
        assert INIT_SAYS in vm.console()
