"""The memory of the agent: the static release build only, whose size is what is promised.

The other builds have a C library and sanitizers of their own in their memory, so there these
tests are skipped; `-m "not memory"` leaves them out.
"""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import procfs
from agent_process import PATIENCE_S, Agent, wait_until
from qga import AgentError, Client

pytestmark = [pytest.mark.memory, pytest.mark.ours]

FLOOR_KIB = 64
PT_INTERP = 3


def is_static(program: Path) -> bool:
    """Whether an ELF file of 64 bits names no interpreter, which is how dynamic ones start."""
    image = program.read_bytes()
    assert image[:4] == b"\x7fELF" and image[4] == 2, "an ELF file of 64 bits"
    table, = struct.unpack_from("<Q", image, 0x20)
    size, count = struct.unpack_from("<HH", image, 0x36)
    kinds = [struct.unpack_from("<I", image, table + size * number)[0] for number in range(count)]
    return PT_INTERP not in kinds


@pytest.fixture(autouse=True)
def _static_only(agent_path: Path) -> None:
    if not is_static(agent_path):
        pytest.skip("memory is measured on the static release build, build/tinyqga")


def back_at_the_floor(agent: Agent) -> None:
    """Soon after the last reply the private memory is within its limit."""

    def low() -> bool:
        return agent.private_memory_kib() <= FLOOR_KIB

    try:
        wait_until(low, "back at the floor", 3.0)
    except AssertionError as error:
        smaps = Path(f"/proc/{agent.pid}/smaps").read_text()
        rows = re.findall(
            r"^([0-9a-f]+)-\S+ (\S+) (?:.*\n)*?Private_Clean: +(\d+).*\nPrivate_Dirty: +(\d+)",
            smaps, re.M,
        )
        found = [f"{start} {mode}: {clean} clean, {dirty} dirty"
                 for start, mode, clean, dirty in rows if clean != "0" or dirty != "0"]
        raise AssertionError(
            f"{agent.private_memory_kib()} KiB private, not {FLOOR_KIB}: {'; '.join(found)}"
        ) from error


def small_requests(client: Client, folder: Path) -> None:
    """A little of everything."""
    for _ in range(100):
        client.call("guest-ping")
    for command in ("guest-info", "guest-get-osinfo", "guest-get-time", "guest-get-timezone",
                    "guest-get-host-name", "tinyqga-health"):
        client.call(command)
    with pytest.raises(AgentError):
        client.call("guest-no-such")
    path = folder / "small"
    handle = client.call("guest-file-open", path=str(path), mode="w+")
    client.call("guest-file-write", handle=handle, buf_b64="QUJD")
    client.call("guest-file-seek", handle=handle, offset=0, whence="set")
    client.call("guest-file-read", handle=handle)
    client.call("guest-file-close", handle=handle)
    assert client.run("/bin/echo", "x", input_data="QUJD")["out-data"] == b"x\n"


def large_read(client: Client, folder: Path) -> None:
    """16 MiB in one reply."""
    path = folder / "large"
    path.write_bytes(bytes(16 << 20))
    handle = client.call("guest-file-open", path=str(path))
    assert client.call("guest-file-read", handle=handle, count=16 << 20)["count"] == 16 << 20
    client.call("guest-file-close", handle=handle)


def large_write(client: Client, folder: Path) -> None:
    """3 MiB in one request."""
    data = base64.b64encode(random.Random(1).randbytes(3 << 20)).decode()
    handle = client.call("guest-file-open", path=str(folder / "written"), mode="w")
    assert client.call("guest-file-write", handle=handle, buf_b64=data)["count"] == 3 << 20
    client.call("guest-file-close", handle=handle)


def large_output(client: Client, folder: Path) -> None:
    """8 MB of a program's output."""
    status = client.run("/usr/bin/head", "-c", "8000000", "/dev/zero")
    assert len(status["out-data"]) == 8_000_000


def large_input(client: Client, folder: Path) -> None:
    """3 MiB into a program."""
    data = base64.b64encode(bytes(3 << 20)).decode()
    status = client.run("/usr/bin/wc", "-c", input_data=data)
    assert int(status["out-data"]) == 3 << 20


def large_arguments(client: Client, folder: Path) -> None:
    """A megabyte of arguments."""
    status = client.run("/bin/sh", "-c", "echo $#", "sh", *["x" * 99] * 10_000)
    assert status["out-data"] == b"10000\n"


def too_large_request(client: Client, folder: Path) -> None:
    """A request beyond the agent's buffer, which is refused."""
    client.send(b'{"execute":"guest-ping","arguments":{"x":"' + b"x" * (48 << 20) + b'"}}\n')
    assert "error" in json.loads(client.line())


def many_tokens(client: Client, folder: Path) -> None:
    """A request of many small tokens."""
    client.request({"execute": "guest-ping", "arguments": {"x": [0] * 300_000}})


def many_handles(client: Client, folder: Path) -> None:
    """A thousand open files, closed again."""
    handles = [client.call("guest-file-open", path="/dev/null") for _ in range(1000)]
    for handle in handles:
        client.call("guest-file-close", handle=handle)


def many_programs(client: Client, folder: Path) -> None:
    """Two hundred programs at once."""
    pids = [client.call("guest-exec", path="true", capture_output=True)["pid"]
            for _ in range(200)]

    def exited(pid: int) -> bool:
        return bool(client.call("guest-exec-status", pid=pid)["exited"])

    for pid in pids:
        wait_until(lambda: exited(pid), f"{pid} exited")


Work = Callable[[Client, Path], None]
LARGE: list[Work] = [
    large_read, large_write, large_output, large_input, large_arguments, too_large_request,
    many_tokens, many_handles, many_programs,
]


def test_after_the_start(agent: Agent) -> None:
    """The idle agent has at most 64 KiB of its own, with nobody connected."""
    back_at_the_floor(agent)


def test_after_small_requests(agent: Agent, tmp_path: Path) -> None:
    """Nor more after some small requests, with the client still there and without it."""
    with agent.client() as client:
        small_requests(client, tmp_path)
        back_at_the_floor(agent)
    back_at_the_floor(agent)


@pytest.mark.parametrize("work", LARGE)
def test_after_large_requests(agent: Agent, tmp_path: Path, work: Work) -> None:
    """After a large request the pages are given back, with the client still there."""
    with agent.client(60.0) as client:
        for _ in range(2):
            work(client, tmp_path)
            back_at_the_floor(agent)


def test_after_everything(agent: Agent, tmp_path: Path) -> None:
    """What each kind of request leaves behind does not add up."""
    with agent.client(60.0) as client:
        for work in [small_requests, *LARGE, small_requests]:
            work(client, tmp_path)
    back_at_the_floor(agent)


def test_after_a_client_that_left(agent: Agent, tmp_path: Path) -> None:
    """Half of a large request, and a large reply that nobody took, are given back as well."""
    with agent.client() as client:
        client.send(b'{"execute":"guest-file-write","arguments":{"buf-b64":"' + b"QUJD" * 700_000)
        client.close()
    path = tmp_path / "large"
    path.write_bytes(bytes(16 << 20))
    with agent.client() as client:
        handle = client.call("guest-file-open", path=str(path))
        request: dict[str, Any] = {"handle": handle, "count": 16 << 20}
        client.send(json.dumps({"execute": "guest-file-read", "arguments": request}).encode())
        assert client.sock.recv(100)
        client.close()
    back_at_the_floor(agent)
    with agent.client() as client:
        client.call("guest-file-close", handle=handle)


def test_after_a_program_whose_result_nobody_wants(agent: Agent) -> None:
    """A result that waits for its client costs a page of each table, and not all of them."""
    agent.may_hold_descriptors = True
    with agent.client() as client:
        client.call("guest-exec", path="/bin/true")
        with pytest.raises(AgentError):
            client.call("guest-exec-status", pid=1)
    back_at_the_floor(agent)


def test_large_reply_needs_no_memory(agent: Agent, tmp_path: Path) -> None:
    """While 48 MiB go through, the agent's resident memory stays below a megabyte."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(48 << 20)
    with agent.client(60.0) as client:
        handle = client.call("guest-file-open", path=str(path))
        procfs.reset_peak(agent.pid)
        reply = client.call("guest-file-read", handle=handle, count=48 << 20)
        assert reply["count"] == 48 << 20
        assert procfs.read_kib(agent.pid, "status", "VmHWM") < 1024
        client.call("guest-file-close", handle=handle)


def test_no_memory_is_asked_for(agent: Agent, tmp_path: Path) -> None:
    """Once it serves, the agent itself asks the kernel for no memory, whatever it is asked to do:
    seen in its system calls."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("this machine has no strace")
    trace = tmp_path / "trace"
    calls = "trace=brk,mmap,mremap,remap_file_pages,poll,ppoll,epoll_wait,epoll_pwait"
    with subprocess.Popen(
        [strace, "-q", "-o", str(trace), "-e", calls, "-p", str(agent.pid)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as tracer:
        def traced() -> bool:
            if tracer.poll() is not None:
                assert tracer.stderr is not None
                pytest.skip(f"strace may not attach here: {tracer.stderr.read().strip()}")
            return procfs.read_fields(agent.pid, "status")["TracerPid"] == str(tracer.pid)

        try:
            wait_until(traced, "strace has attached")
            with agent.client(120.0) as client:
                for work in (small_requests, large_read, large_write, large_output, large_input):
                    work(client, tmp_path)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(PATIENCE_S)
    lines = trace.read_text().splitlines()
    assert any("poll" in line or "epoll" in line for line in lines), "nothing was traced"
    assert [line for line in lines if re.search(r"\b(brk|m?re?map\w*|mmap)\(", line)] == []
