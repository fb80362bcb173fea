"""What tests do in a guest, through its agent."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager

from qga import AgentError, Client

from vm.rig import VM

CHUNK_BYTES = 256 << 10


def shell(client: Client, script: str, timeout_s: float = 20.0) -> str:
    """Run a shell script in the guest, which must succeed; its output."""
    done = client.run("/bin/sh", "-c", script, timeout_s=timeout_s)
    output: str = done["out-data"].decode()
    assert done.get("exitcode") == 0, f"{script}: {done}"
    return output


def agent_pid(client: Client) -> int:
    """The process id of the agent behind this connection: it is its program's parent."""
    return int(shell(client, "echo $PPID"))


def write_file(client: Client, path: str, data: bytes) -> None:
    handle = client.call("guest-file-open", path=path, mode="w")
    for start in range(0, len(data), CHUNK_BYTES):
        end = start + CHUNK_BYTES
        text = base64.b64encode(data[start:end]).decode()
        count = client.call("guest-file-write", handle=handle, buf_b64=text)["count"]
        assert count == len(data[start:end])
    client.call("guest-file-close", handle=handle)


def read_file(client: Client, path: str, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    handle = client.call("guest-file-open", path=path)
    data = bytearray()
    while True:
        read = client.call("guest-file-read", handle=handle, count=chunk_bytes)
        data += base64.b64decode(read["buf-b64"])
        if read["eof"]:
            break
    client.call("guest-file-close", handle=handle)
    return bytes(data)


@contextmanager
def second_agent(vm: VM, *arguments: str) -> Iterator[int]:
    """Another agent in the guest, on a channel of its own; its process id."""
    client = vm.agent()
    program = shell(client, "readlink /proc/$PPID/exe").strip()
    pid: int = client.call("guest-exec", path=program, arg=[*arguments])["pid"]
    try:
        yield pid
    finally:
        client = vm.agent()
        shell(client, f"kill {pid} || true")
        deadline = time.monotonic() + 10
        while not client.call("guest-exec-status", pid=pid)["exited"]:
            assert time.monotonic() < deadline, "the second agent does not end on SIGTERM"
            time.sleep(0.01)


def collect(client: Client, pid: int) -> None:
    """Ask for the result of a program that may or may not have ended, and forget it."""
    try:
        client.call("guest-exec-status", pid=pid)
    except AgentError:
        pass
