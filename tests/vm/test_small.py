"""A guest with little memory. Debian's kernel does not boot in less than 80 MiB, and leaves
about 42 of them to the guest, as little as a smaller kernel leaves of 64."""

from __future__ import annotations

import base64
import time
from typing import Any

from qga import Client

from vm.conftest import MakeInitramfs
from vm.guest import agent_pid, read_file, shell
from vm.rig import VM

MEMORY_MIB = 80
PROGRAMS = 5
MOST_KEPT = 16 << 20
PROGRAM_LIMIT_S = 120.0


def finished(client: Client, pid: int) -> dict[str, Any]:
    """The result of a program that is about to end."""
    deadline = time.monotonic() + PROGRAM_LIMIT_S
    while True:
        status: dict[str, Any] = client.call("guest-exec-status", pid=pid)
        if status["exited"]:
            return status
        assert time.monotonic() < deadline, f"{pid} has not ended"
        time.sleep(0.05)


def test_captured_output_does_not_kill_the_guest(initramfs_with: MakeInitramfs) -> None:
    """Five programs of 16 MiB each are more than there is: their output is cut and they are
    told apart by out-truncated, but neither they nor anything else is killed."""
    with VM(initramfs_with(), memory_mib=MEMORY_MIB) as vm:
        client = vm.agent(60.0)
        pid = agent_pid(client)
        script = f"head -c {MOST_KEPT} /dev/zero && echo >>/tmp/ended"
        shell(client, ": >/tmp/ended")
        programs = [
            client.call("guest-exec", path="sh", arg=["-c", script], capture_output=True)["pid"]
            for _ in range(PROGRAMS)
        ]
        deadline = time.monotonic() + PROGRAM_LIMIT_S
        # Not by a program: with so much kept, its output would be cut, too.
        while read_file(client, "/tmp/ended") != b"\n" * PROGRAMS:
            assert time.monotonic() < deadline, "the programs have not ended"
            time.sleep(0.2)

        kept = 0
        truncated = 0
        for program in programs:
            status = finished(client, program)
            assert status.get("exitcode") == 0, status
            kept += len(base64.b64decode(status.get("out-data", "")))
            truncated += bool(status.get("out-truncated"))
        assert truncated > 0
        assert 0 < kept < PROGRAMS * MOST_KEPT
        assert agent_pid(client) == pid
        assert "Out of memory" not in shell(client, "dmesg")
