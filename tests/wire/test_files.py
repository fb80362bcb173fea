"""The file commands: open, close, read, write, seek, flush."""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import random
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import procfs
from agent_process import Agent, wait_until
from conftest import StartAgent
from connect import connect, end_process
from qga import AgentError, Client

FIRST_HANDLE = 1000
READ_DEFAULT = 4096
READ_MAX = 48 << 20
WRITE_MIN = 4 << 20
NO_SUCH_FILE = "No such file or directory"
READING = ["r", "rb"]
UPDATING = ["r+", "rb+", "r+b"]
TRUNCATING = ["w", "wb", "w+", "wb+", "w+b"]
APPENDING = ["a", "ab", "a+", "ab+", "a+b"]


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def open_file(client: Client, path: Path | str, mode: str | None = None) -> int:
    arguments: dict[str, Any] = {} if mode is None else {"mode": mode}
    handle: int = client.call("guest-file-open", path=str(path), **arguments)
    return handle


def close(client: Client, handle: int) -> None:
    assert client.call("guest-file-close", handle=handle) == {}


def read(client: Client, handle: int, count: int | None = None) -> tuple[bytes, bool]:
    """The bytes and eof of one guest-file-read, whose shape is checked."""
    arguments: dict[str, Any] = {} if count is None else {"count": count}
    reply = client.call("guest-file-read", handle=handle, **arguments)
    assert set(reply) == {"count", "buf-b64", "eof"}
    data = base64.b64decode(reply["buf-b64"], validate=True)
    assert reply["count"] == len(data)
    assert len(data) <= (READ_DEFAULT if count is None else count)
    return data, reply["eof"]


def read_all(client: Client, handle: int, count: int = 65536) -> bytes:
    """Everything from the handle's position to the end."""
    collected = bytearray()
    while True:
        data, eof = read(client, handle, count)
        collected += data
        if eof:
            return bytes(collected)


def write(client: Client, handle: int, data: bytes, count: int | None = None) -> int:
    arguments: dict[str, Any] = {} if count is None else {"count": count}
    reply = client.call("guest-file-write", handle=handle, buf_b64=encode(data), **arguments)
    assert set(reply) == {"count", "eof"}
    assert reply["eof"] is False
    written: int = reply["count"]
    return written


def seek(client: Client, handle: int, offset: int, whence: int | str) -> int:
    reply = client.call("guest-file-seek", handle=handle, offset=offset, whence=whence)
    assert set(reply) == {"position", "eof"}
    assert reply["eof"] is False
    position: int = reply["position"]
    return position


def failure(client: Client, command: str, **arguments: Any) -> str:
    """The text of the error that a command must answer with."""
    with pytest.raises(AgentError) as caught:
        client.call(command, **arguments)
    assert caught.value.error_class == "GenericError"
    return caught.value.desc


@contextmanager
def mounted(folder: Path, kind: str, options: str) -> Iterator[Path]:
    """A small filesystem on a new folder, as root may mount one."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    folder.mkdir()
    subprocess.run(["mount", "-t", kind, "-o", options, kind, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def client(shared_agent: Agent) -> Iterator[Client]:
    """A connection to the agent that all tests here share, unless they need one of their own."""
    with shared_agent.client() as connection:
        yield connection


# Opening


@pytest.mark.parametrize("mode", READING + UPDATING)
def test_open_of_an_existing_file_keeps_it(client: Client, tmp_path: Path, mode: str) -> None:
    """The reading modes read from the start and keep the content; only `+` can write."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    handle = open_file(client, path, mode)
    assert read(client, handle, 4) == (b"0123", False)
    if mode in UPDATING:
        assert seek(client, handle, 2, "set") == 2
        assert write(client, handle, b"XY") == 2
        assert client.call("guest-file-flush", handle=handle) == {}
        assert path.read_bytes() == b"01XY456789"
    else:
        desc = failure(client, "guest-file-write", handle=handle, buf_b64="QUJD")
        assert desc == "failed to write to file: Bad file descriptor"
    close(client, handle)


@pytest.mark.parametrize("mode", READING + UPDATING)
def test_reading_modes_create_nothing(client: Client, tmp_path: Path, mode: str) -> None:
    """r and r+ of a file that is not there fail with its path and the mode, and create nothing."""
    path = tmp_path / "absent"
    desc = failure(client, "guest-file-open", path=str(path), mode=mode)
    assert desc == f"failed to open file '{path}' (mode: '{mode}'): {NO_SUCH_FILE}"
    assert not path.exists()


def test_default_mode_is_r(client: Client, tmp_path: Path) -> None:
    """Without a mode a file is opened for reading, and the error text says so."""
    path = tmp_path / "file"
    desc = failure(client, "guest-file-open", path=str(path))
    assert desc == f"failed to open file '{path}' (mode: 'r'): {NO_SUCH_FILE}"
    path.write_bytes(b"abc")
    handle = open_file(client, path)
    assert read(client, handle) == (b"abc", True)
    close(client, handle)


@pytest.mark.parametrize("mode", TRUNCATING)
def test_w_truncates_and_creates(client: Client, tmp_path: Path, mode: str) -> None:
    """The w modes empty the file or create it; only `+` can read it back."""
    path = tmp_path / "file"
    path.write_bytes(b"old content")
    handle = open_file(client, path, mode)
    assert path.read_bytes() == b""
    assert write(client, handle, b"new") == 3
    client.call("guest-file-flush", handle=handle)
    assert seek(client, handle, 0, 0) == 0
    if "+" in mode:
        assert read(client, handle, 10) == (b"new", True)
    else:
        desc = failure(client, "guest-file-read", handle=handle)
        assert desc == "failed to read file: Bad file descriptor"
    close(client, handle)
    assert path.read_bytes() == b"new"
    close(client, open_file(client, tmp_path / "created", mode))
    assert (tmp_path / "created").read_bytes() == b""


@pytest.mark.parametrize("mode", APPENDING)
def test_a_appends_wherever_the_position_is(client: Client, tmp_path: Path, mode: str) -> None:
    """The a modes create, keep, and write at the end even after a seek; `a+` reads."""
    path = tmp_path / "file"
    path.write_bytes(b"head")
    handle = open_file(client, path, mode)
    assert seek(client, handle, 0, "set") == 0
    if "+" in mode:
        assert read(client, handle, 2) == (b"he", False)
        seek(client, handle, 1, "set")
    assert write(client, handle, b"-tail") == 5
    client.call("guest-file-flush", handle=handle)
    with path.open("ab") as other:
        other.write(b"+other")
    assert write(client, handle, b"-end") == 4
    close(client, handle)
    assert path.read_bytes() == b"head-tail+other-end"
    close(client, open_file(client, tmp_path / "created", mode))
    assert (tmp_path / "created").exists()


@pytest.mark.parametrize(
    "mode", ["zz", "", "rw", "r++", "b", "+r", "rbb", "wx", "re", "R", "r ", "é"]
)
def test_unknown_modes(client: Client, tmp_path: Path, mode: str) -> None:
    """Anything but fopen's fifteen modes is an error that quotes it, and creates nothing."""
    path = tmp_path / "file"
    desc = failure(client, "guest-file-open", path=str(path), mode=mode)
    assert desc == f"invalid file open mode '{mode}'"
    assert not path.exists()


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o777])
@pytest.mark.parametrize("mode", ["w", "a+"])
def test_new_files_get_0666(start_agent: StartAgent, tmp_path: Path, umask: int, mode: str) -> None:
    """New files have the mode 0666 whatever umask the agent was started with."""
    agent = start_agent(wrapper=["/bin/sh", "-c", f'umask {umask:o} && exec "$@"', "sh"])
    path = tmp_path / "file"
    with agent.client() as client:
        close(client, open_file(client, path, mode))
    assert path.stat().st_mode & 0o7777 == 0o666


def test_open_keeps_the_mode_of_existing_files(client: Client, tmp_path: Path) -> None:
    """A file that is already there keeps its permissions when it is rewritten."""
    path = tmp_path / "file"
    path.write_bytes(b"secret")
    path.chmod(0o600)
    close(client, open_file(client, path, "w"))
    assert path.stat().st_mode & 0o7777 == 0o600


def test_descriptor_flags(agent: Agent, tmp_path: Path) -> None:
    """A file is opened close-on-exec and non-blocking, with the access that the mode says."""
    access = {"r": os.O_RDONLY, "r+": os.O_RDWR, "w": os.O_WRONLY, "a+": os.O_RDWR}
    with agent.client() as client:
        for mode, expected in access.items():
            path = tmp_path / f"file-{mode}"
            path.write_bytes(b"")
            handle = open_file(client, path, mode)
            flags = procfs.descriptor_flags(agent.pid, str(path))
            assert flags & os.O_ACCMODE == expected
            assert flags & os.O_CLOEXEC
            assert flags & os.O_NONBLOCK
            assert bool(flags & os.O_APPEND) == mode.startswith("a")
            close(client, handle)


def test_open_never_takes_a_controlling_terminal(agent_path: Path, short_tmp: Path) -> None:
    """Opening a terminal does not make it the controlling one of an agent that leads a session."""
    leader, follower = os.openpty()
    words = [str(agent_path), "-m", "unix-listen", "-p", f"{short_tmp}/s", "-t", str(short_tmp)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            with connect(short_tmp / "s") as client:
                handle = open_file(client, os.ttyname(follower), "r+")
                stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                assert int(stat[3]) == process.pid, "it leads a session"
                assert int(stat[4]) == 0, "without a terminal"
                close(client, handle)
        finally:
            end_process(process)
            os.close(leader)
            os.close(follower)


def test_paths_that_cannot_be(client: Client, tmp_path: Path) -> None:
    """Loops, too long names and paths through files are errors that name path and reason."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    file = tmp_path / "file"
    file.write_bytes(b"")
    cases = {
        str(loop): errno.ELOOP,
        str(file / "below"): errno.ENOTDIR,
        "/" + "n" * 300: errno.ENAMETOOLONG,
        "/" + "d/" * 2100 + "end": errno.ENAMETOOLONG,
        "": errno.ENOENT,
    }
    for path, number in cases.items():
        desc = failure(client, "guest-file-open", path=path)
        assert desc.startswith("failed to open file '"), desc
        assert desc.endswith(f"(mode: 'r'): {os.strerror(number)}"), desc
        if len(path) < 255:
            assert f"'{path}'" in desc


@pytest.mark.ours
def test_path_with_nul(client: Client, tmp_path: Path) -> None:
    """A NUL in a path is an error that names the parameter, never a silent cut."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    desc = failure(client, "guest-file-open", path=f"{path}\0.txt")
    assert "path" in desc
    desc = failure(client, "guest-file-open", path=f"{path}", mode="w\0")
    assert "mode" in desc
    assert path.read_bytes() == b"x"


def test_names_beyond_ascii(client: Client, tmp_path: Path) -> None:
    """A UTF-8 name opens, and comes back in an error text in ASCII, escaped."""
    name = "größe 𝄞 日本\n\"\\"
    desc = failure(client, "guest-file-open", path=str(tmp_path / name))
    assert desc == f"failed to open file '{tmp_path / name}' (mode: 'r'): {NO_SUCH_FILE}"
    path = str(tmp_path / name)
    client.send(json.dumps({"execute": "guest-file-open", "arguments": {"path": path}}).encode())
    raw = client.line()
    assert raw.isascii()
    assert rb"gr\u00F6\u00DFe \uD834\uDD1E" in raw
    handle = open_file(client, path, "w+")
    close(client, handle)
    assert (tmp_path / name).exists()


def test_read_only_filesystem(client: Client, tmp_path: Path) -> None:
    """Opening for writing on a filesystem mounted read-only is the kernel's error."""
    with mounted(tmp_path / "ro", "tmpfs", "ro,size=64k") as folder:
        desc = failure(client, "guest-file-open", path=f"{folder}/new", mode="w")
        assert desc == f"failed to open file '{folder}/new' (mode: 'w'): Read-only file system"


# Handles


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_handles_are_never_reused(start_agent: StartAgent, ending: signal.Signals) -> None:
    """Handles start at 1000 and count up, after a close and across a restart, clean or killed."""
    agent = start_agent()
    seen: list[int] = []
    for _ in range(3):
        with agent.client() as client:
            for _ in range(20):
                handle = open_file(client, "/dev/null")
                seen.append(handle)
                close(client, handle)
        agent.stop(ending)
        agent = start_agent(folder=agent.folder)
    assert seen[0] == FIRST_HANDLE
    assert seen[:20] == list(range(FIRST_HANDLE, FIRST_HANDLE + 20))
    assert all(one < other for one, other in zip(seen, seen[1:]))


@pytest.mark.ours
def test_handles_are_not_reused_after_a_shortage(start_agent: StartAgent) -> None:
    """A handle that the state file could not remember, for want of a descriptor, is not given."""
    agent = start_agent()
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (32, 32))
    handle = 0
    with agent.client() as client, pytest.raises(AgentError):
        while True:
            handle = open_file(client, "/dev/null")
    agent.stop()
    agent = start_agent(folder=agent.folder)
    with agent.client() as client:
        following = open_file(client, "/dev/null")
        assert following == handle + 1
        close(client, following)


@pytest.mark.ours
@pytest.mark.parametrize("content, first", [
    (b"[general]\nfd_counter=2000\n", 2000),
    (b"# by hand\n[general]\n\nfd_counter=2000\n", 2000),
    (b"[general]\nfd_counter=9223372036854775807\n", FIRST_HANDLE),
    (b"[general]\nfd_counter=-1\n", FIRST_HANDLE),
    (b"\xff" * 1000, FIRST_HANDLE),
])
def test_state_files(start_agent: StartAgent, content: bytes, first: int) -> None:
    """The counter is found where QEMU's agent or a person has put it; damage begins afresh."""
    agent = start_agent()
    agent.stop()
    (agent.folder / "state" / "qga.state").write_bytes(content)
    agent = start_agent(folder=agent.folder)
    with agent.client() as client:
        handle = open_file(client, "/dev/null")
        assert handle == first
        close(client, handle)


@pytest.mark.parametrize("handle", [0, 1, -1, 999, 1 << 31, 1 << 32, 2**63 - 1, -(2**63)])
def test_unknown_handles(client: Client, handle: int) -> None:
    """Every command says of a handle that is not open that it has not been found."""
    requests: dict[str, dict[str, Any]] = {
        "guest-file-close": {},
        "guest-file-flush": {},
        "guest-file-read": {"count": 10},
        "guest-file-write": {"buf_b64": "AAAA"},
        "guest-file-seek": {"offset": 0, "whence": 0},
    }
    for command, arguments in requests.items():
        desc = failure(client, command, handle=handle, **arguments)
        assert desc == f"handle '{handle}' has not been found", command


def test_closed_handle_is_unknown(client: Client) -> None:
    """A handle is gone after its close, and 32 bits more do not alias an open one."""
    handle = open_file(client, "/dev/null")
    aliased = handle + (1 << 32)
    desc = failure(client, "guest-file-read", handle=aliased)
    assert desc == f"handle '{aliased}' has not been found"
    close(client, handle)
    desc = failure(client, "guest-file-close", handle=handle)
    assert desc == f"handle '{handle}' has not been found"


def test_handles_outlive_their_client(agent: Agent, tmp_path: Path) -> None:
    """A handle stays open, at its position, when its client leaves and another comes."""
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    with agent.client() as client:
        handle = open_file(client, path)
        assert read(client, handle, 3) == (b"abc", False)
    with agent.client() as client:
        assert read(client, handle, 3) == (b"def", False)
        close(client, handle)


def test_a_thousand_handles(agent: Agent, tmp_path: Path) -> None:
    """A thousand files are open at once, each with its own position; programs inherit none."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4)
    with agent.client() as client:
        handles = [open_file(client, path) for _ in range(1000)]
        assert len(set(handles)) == 1000
        for index, handle in enumerate(handles):
            seek(client, handle, index, "set")
        result = client.run("/bin/ls", "/proc/self/fd")
        # The fourth is the folder that ls itself has open.
        assert result["out-data"].split() == [b"0", b"1", b"2", b"3"]
        for index, handle in enumerate(handles):
            assert read(client, handle, 1) == (bytes([index % 256]), False)
        for handle in handles:
            close(client, handle)


@pytest.mark.ours
def test_too_many_open_files(agent: Agent, tmp_path: Path) -> None:
    """Beyond the system's limit an open fails and says which limit; the agent goes on."""
    limit = 64
    with agent.client() as client:
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (limit, limit))
        handles = []
        with pytest.raises(AgentError) as caught:
            for _ in range(limit + 1):
                handles.append(open_file(client, "/dev/null"))
        assert "Too many open files" in caught.value.desc
        assert "'/dev/null'" in caught.value.desc
        assert len(handles) > limit // 2
        assert client.call("guest-ping") == {}
        close(client, handles.pop())
        handles.append(open_file(client, "/dev/null"))
        for handle in handles:
            close(client, handle)


@pytest.mark.ours
def test_the_table_of_handles_has_an_end(start_agent: StartAgent) -> None:
    """Whether by the agent's table or the process's limit, the ten-thousandth file is an error
    that names the limit, never a silent failure, and all the others still work."""
    agent = start_agent()
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (10000, 10000))
    request = b'{"execute":"guest-file-open","arguments":{"path":"/dev/null"}}\n'
    with agent.client() as client:
        handles = []
        desc = ""
        for _ in range(100):
            client.send(request * 100)
            for _ in range(100):
                reply = json.loads(client.line())
                if "return" in reply:
                    handles.append(reply["return"])
                else:
                    desc = reply["error"]["desc"]
            if desc:
                break
        assert len(handles) >= 1000
        assert "Too many open files" in desc or any(c.isdigit() for c in desc), desc
        assert read(client, handles[0]) == (b"", True)
        assert read(client, handles[-1]) == (b"", True)
        for handle in handles:
            close(client, handle)


# Reading


def test_default_count(client: Client, tmp_path: Path) -> None:
    """Without count a read gives at most 4096 bytes."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10000)
    handle = open_file(client, path)
    assert read(client, handle) == (b"x" * READ_DEFAULT, False)
    close(client, handle)


def test_eof_is_met_only_beyond_the_end(client: Client, tmp_path: Path) -> None:
    """eof is true only if bytes are missing: not at exactly the last byte, not for count 0."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    handle = open_file(client, path)
    assert read(client, handle, 0) == (b"", False)
    assert read(client, handle, 5) == (b"12345", False)
    assert read(client, handle, 0) == (b"", False)
    assert read(client, handle, 1) == (b"", True)
    assert read(client, handle, 1) == (b"", True)
    seek(client, handle, 2, "set")
    assert read(client, handle, 4) == (b"345", True)
    with path.open("ab") as other:
        other.write(b"67")
    assert read(client, handle, 9) == (b"67", True)
    close(client, handle)


def test_read_of_an_empty_file(client: Client, tmp_path: Path) -> None:
    """An empty file gives count 0, an empty buf-b64 and eof."""
    path = tmp_path / "file"
    path.touch()
    handle = open_file(client, path)
    reply = client.call("guest-file-read", handle=handle, count=100)
    assert reply == {"count": 0, "buf-b64": "", "eof": True}
    close(client, handle)


@pytest.mark.parametrize(
    "size", [1, 2, 3, 4, 5, 767, 768, 769, 4095, 4096, 4097, 65535, 65536, 65537]
)
def test_sizes_around_the_seams(client: Client, tmp_path: Path, size: int) -> None:
    """Whatever the count, base64 ends as it should and no byte is lost or doubled at a seam."""
    content = random.Random(size).randbytes(size * 2 + 1)
    path = tmp_path / "file"
    path.write_bytes(content)
    handle = open_file(client, path)
    assert read(client, handle, size) == (content[:size], False)
    assert read(client, handle, size) == (content[size:2 * size], False)
    assert read(client, handle, 2) == (content[2 * size:], True)
    close(client, handle)


@pytest.mark.parametrize("count", [-1, READ_MAX + 1, 1 << 31, 1 << 32, 2**63 - 1, -(2**63)])
def test_counts_out_of_range(client: Client, count: int) -> None:
    """A negative count, or one beyond 48 MiB, is an error that says the value."""
    handle = open_file(client, "/dev/zero")
    desc = failure(client, "guest-file-read", handle=handle, count=count)
    assert desc == f"value '{count}' is invalid for argument count"
    close(client, handle)


def test_count_is_checked_after_the_handle(client: Client) -> None:
    """An unknown handle is the error even where the count is wrong as well."""
    desc = failure(client, "guest-file-read", handle=1, count=-1)
    assert desc == "handle '1' has not been found"


@pytest.mark.ours
def test_largest_read_in_constant_memory(agent: Agent, tmp_path: Path) -> None:
    """48 MiB are read in one request without the agent growing by more than 2 MiB meanwhile."""
    path = tmp_path / "file"
    pattern = random.Random(48).randbytes(1 << 20)
    with path.open("wb") as file:
        for _ in range(READ_MAX >> 20):
            file.write(pattern)
        file.write(b"more")
    with agent.client(60.0) as client:
        handle = open_file(client, path)
        procfs.reset_peak(agent.pid)
        before = procfs.read_kib(agent.pid, "status", "VmHWM")
        data, eof = read(client, handle, READ_MAX)
        grown = procfs.read_kib(agent.pid, "status", "VmHWM") - before
        assert len(data) == READ_MAX
        assert eof is False
        assert all(data[i:i + len(pattern)] == pattern for i in range(0, READ_MAX, len(pattern)))
        assert grown <= 2048, f"{grown} KiB more than before"
        assert read(client, handle, 100) == (b"more", True)
        close(client, handle)


def test_large_read_beyond_the_end(client: Client, tmp_path: Path) -> None:
    """A count of 48 MiB on a smaller file gives the file and eof."""
    path = tmp_path / "file"
    content = random.Random(5).randbytes(5_000_001)
    path.write_bytes(content)
    handle = open_file(client, path)
    assert read_all(client, handle, READ_MAX) == content
    close(client, handle)


def test_directory(client: Client, tmp_path: Path) -> None:
    """A directory opens for reading and fails to be read; for writing it does not open."""
    handle = open_file(client, tmp_path)
    desc = failure(client, "guest-file-read", handle=handle)
    assert desc == "failed to read file: Is a directory"
    desc = failure(client, "guest-file-read", handle=handle, count=READ_MAX)
    assert desc == "failed to read file: Is a directory"
    close(client, handle)
    for mode in ("r+", "w", "a"):
        desc = failure(client, "guest-file-open", path=str(tmp_path), mode=mode)
        assert desc == f"failed to open file '{tmp_path}' (mode: '{mode}'): Is a directory"


def test_proc_files(client: Client) -> None:
    """Files of size 0 that have content, as /proc and /sys have them, are read whole."""
    for name in ("/proc/version", "/proc/sys/kernel/ostype", "/sys/kernel/notes"):
        expected = Path(name).read_bytes()
        handle = open_file(client, name)
        assert read_all(client, handle) == expected
        close(client, handle)


@pytest.mark.ours
def test_large_proc_file_gives_its_pages(client: Client) -> None:
    """A read that the kernel cuts short (a page of /proc) is short but not the end."""
    handle = open_file(client, "/proc/kallsyms")
    content = bytearray()
    while len(content) < 300_000:
        data, eof = read(client, handle, 65536)
        content += data
        if eof:
            break
    assert len(content) >= 300_000 or eof
    if eof:
        assert bytes(content) == Path("/proc/kallsyms").read_bytes()
    close(client, handle)


def test_devices(client: Client) -> None:
    """/dev/zero reads as asked, /dev/null is at its end and swallows."""
    handle = open_file(client, "/dev/zero", "r+")
    assert read(client, handle, 1 << 20) == (bytes(1 << 20), False)
    close(client, handle)
    handle = open_file(client, "/dev/null", "r+")
    assert read(client, handle, 10) == (b"", True)
    assert write(client, handle, b"gone") == 4
    close(client, handle)


# FIFOs


@pytest.mark.ours
def test_fifo_without_writer_does_not_hang(client: Client, tmp_path: Path) -> None:
    """Opening a FIFO that nobody writes to returns at once, and a read of it is at the end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    handle = open_file(client, fifo)
    assert read(client, handle, 10) == (b"", True)
    close(client, handle)


@pytest.mark.ours
def test_fifo_with_a_silent_writer(client: Client, tmp_path: Path) -> None:
    """A FIFO with a writer and nothing in it: count 0, eof false; then what comes; then the end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    handle = open_file(client, fifo)
    writer = os.open(fifo, os.O_WRONLY)
    try:
        assert read(client, handle, 10) == (b"", False)
        os.write(writer, b"abc")
        assert read(client, handle, 10) == (b"abc", False)
        os.write(writer, b"defg")
        assert read(client, handle, 2) == (b"de", False)
        assert read(client, handle, 2) == (b"fg", False)
        assert read(client, handle, READ_MAX) == (b"", False)
    finally:
        os.close(writer)
    assert read(client, handle, 10) == (b"", True)
    close(client, handle)


@pytest.mark.ours
def test_writing_a_fifo(client: Client, tmp_path: Path) -> None:
    """A FIFO without a reader does not open for writing; a full one takes
    a part, and then nothing until it is read: an error, not a wait."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    desc = failure(client, "guest-file-open", path=str(fifo), mode="a")
    assert desc == f"failed to open file '{fifo}' (mode: 'a'): No such device or address"
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        handle = open_file(client, fifo, "a")
        capacity = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
        data = random.Random(1).randbytes(capacity + 5000)
        written = write(client, handle, data)
        assert 0 < written <= capacity
        desc = failure(client, "guest-file-write", handle=handle, buf_b64=encode(data))
        assert desc == "failed to write to file: Resource temporarily unavailable"
        assert os.read(reader, capacity) == data[:written]
    finally:
        os.close(reader)
    desc = failure(client, "guest-file-write", handle=handle, buf_b64="AAAA")
    assert desc == "failed to write to file: Broken pipe"
    close(client, handle)


@pytest.mark.ours
def test_sockets_do_not_open(client: Client, short_tmp: Path, shared_agent: Agent) -> None:
    """A unix socket, the agent's own too, is no file: the kernel's error comes back."""
    desc = failure(client, "guest-file-open", path=shared_agent.path)
    assert desc.endswith("(mode: 'r'): No such device or address")


# Writing


def test_write_count(client: Client, tmp_path: Path) -> None:
    """count cuts what is written; beyond the data, or negative, it is an error and nothing is."""
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    assert write(client, handle, b"abcdef", 3) == 3
    assert write(client, handle, b"xyz", 3) == 3
    assert write(client, handle, b"never", 0) == 0
    assert write(client, handle, b"") == 0
    for count in (4, -1, 1 << 32, 2**63 - 1, -(2**63)):
        desc = failure(client, "guest-file-write", handle=handle, buf_b64="eHl6", count=count)
        assert desc == f"value '{count}' is invalid for argument count"
    close(client, handle)
    assert path.read_bytes() == b"abcxyz"


def test_write_appears_at_once(client: Client, tmp_path: Path) -> None:
    """After a flush at the latest, what was written can be read by everybody."""
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    write(client, handle, b"visible")
    client.call("guest-file-flush", handle=handle)
    assert path.read_bytes() == b"visible"
    close(client, handle)


@pytest.mark.ours
def test_write_appears_without_flush(client: Client, tmp_path: Path) -> None:
    """There is no buffer in the agent: a write is in the file when its reply is there."""
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    write(client, handle, b"visible")
    assert path.read_bytes() == b"visible"
    close(client, handle)


def test_failed_write_keeps_the_handle(client: Client, tmp_path: Path) -> None:
    """A write through a handle opened for reading fails, and the handle still reads."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    handle = open_file(client, path, "r")
    failure(client, "guest-file-write", handle=handle, buf_b64="QQ==")
    assert read(client, handle) == (b"abc", True)
    close(client, handle)


BAD_BASE64 = {
    "foreign in the middle": "QUJD!UJD",
    "foreign at the end": "QUJD*",
    "space": "QUJD QUJD",
    "url alphabet": "QU-_",
    "high byte": "QUJDé",
    "padding in the middle": "QQ==QUJD",
    "padding alone": "====",
    "padding first": "=QUJ",
    "one character": "Q",
    "incomplete pair": "QQ",
    "incomplete triple": "QUJDQUI",
    "half a padding": "QQ=",
    "too much padding": "QUI==",
    "padding after a full group": "QUJD=",
}


@pytest.mark.ours
@pytest.mark.parametrize("text", BAD_BASE64.values(), ids=BAD_BASE64.keys())
def test_bad_base64_writes_nothing(client: Client, tmp_path: Path, text: str) -> None:
    """Foreign characters and an incomplete end are errors, and not one byte is written."""
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    assert "base64" in failure(client, "guest-file-write", handle=handle, buf_b64=text).lower()
    long = encode(bytes(300_000)) + text
    assert "base64" in failure(client, "guest-file-write", handle=handle, buf_b64=long).lower()
    assert path.read_bytes() == b""
    assert seek(client, handle, 0, "cur") == 0
    close(client, handle)


def test_foreign_characters_write_nothing(client: Client, tmp_path: Path) -> None:
    """The error text for a foreign character, even after megabytes of good data."""
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    for text in ("!!!", "QUJD!UJD", encode(bytes(1_000_000)) + "%AAA"):
        desc = failure(client, "guest-file-write", handle=handle, buf_b64=text)
        assert desc == "Base64 data contains invalid characters"
    close(client, handle)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("newline", ["\n", pytest.param("\r\n", marks=pytest.mark.ours)])
def test_base64_with_newlines(client: Client, tmp_path: Path, newline: str) -> None:
    """Base64 as `base64` and MIME wrap it, a newline every 76 characters, is taken."""
    content = random.Random(76).randbytes(200_003)
    text = encode(content)
    wrapped = newline.join(text[i:i + 76] for i in range(0, len(text), 76)) + newline
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    reply = client.call("guest-file-write", handle=handle, buf_b64=wrapped)
    assert reply == {"count": len(content), "eof": False}
    close(client, handle)
    assert path.read_bytes() == content


def test_four_mebibytes_in_one_write(client: Client, tmp_path: Path) -> None:
    """A write holds at least 4 MiB of data in one request."""
    content = random.Random(4).randbytes(WRITE_MIN)
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    assert write(client, handle, content) == WRITE_MIN
    close(client, handle)
    assert path.read_bytes() == content


def raw_write(client: Client, handle: int, text: bytes) -> Any:
    """A write whose base64 stands in the request as given, JSON escapes and all."""
    client.send(
        b'{"execute":"guest-file-write","arguments":{"handle":%d,"buf-b64":"%b"}}\n'
        % (handle, text)
    )
    reply = json.loads(client.line())
    assert "return" in reply, reply
    return reply["return"]


def test_escaped_slashes(client: Client, tmp_path: Path) -> None:
    r"""Base64 whose every character is the slash, each sent as `\/`: still 4 MiB in a request."""
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    content = b"\xff" * (WRITE_MIN - WRITE_MIN % 3)
    reply = raw_write(client, handle, encode(content).encode().replace(b"/", b"\\/"))
    assert reply == {"count": len(content), "eof": False}
    close(client, handle)
    assert path.read_bytes() == content


@pytest.mark.ours
def test_escaped_newlines(client: Client, tmp_path: Path) -> None:
    r"""4 MiB with `\r\n` escaped every 76 columns and unicode escapes among them."""
    path = tmp_path / "file"
    handle = open_file(client, path, "w")
    content = random.Random(7).randbytes(WRITE_MIN)
    text = encode(content).encode()
    wrapped = b"".join(text[i:i + 76] + b"\\r\\n" for i in range(0, len(text), 76))
    wrapped = b"\\u%04x" % text[0] + wrapped[1:] + b"\\u000A"
    reply = raw_write(client, handle, wrapped)
    assert reply == {"count": len(content), "eof": False}
    close(client, handle)
    assert path.read_bytes() == content


def test_dev_full(client: Client) -> None:
    """/dev/full: no space, at the flush at the latest."""
    handle = open_file(client, "/dev/full", "w")
    with pytest.raises(AgentError, match="No space left on device"):
        write(client, handle, b"x" * 100)
        client.call("guest-file-flush", handle=handle)
    client.request({"execute": "guest-file-close", "arguments": {"handle": handle}})


@pytest.mark.ours
def test_dev_full_at_once(client: Client) -> None:
    """A full disk is the write's error, not that of a later flush or close, each time."""
    handle = open_file(client, "/dev/full", "w")
    for size in (1, 100, 100_000):
        desc = failure(client, "guest-file-write", handle=handle, buf_b64=encode(b"x" * size))
        assert desc == "failed to write to file: No space left on device"
    assert client.call("guest-file-flush", handle=handle) == {}
    close(client, handle)


@pytest.mark.ours
def test_full_disk(client: Client, tmp_path: Path) -> None:
    """What fits on a full disk is written and counted; the next write errs."""
    with mounted(tmp_path / "disk", "tmpfs", "size=64k") as folder:
        handle = open_file(client, folder / "file", "w")
        content = random.Random(9).randbytes(1 << 20)
        written = write(client, handle, content)
        assert 0 < written <= 65536
        desc = failure(client, "guest-file-write", handle=handle, buf_b64=encode(content))
        assert desc == "failed to write to file: No space left on device"
        close(client, handle)
        assert (folder / "file").read_bytes() == content[:written]


@pytest.mark.ours
def test_file_size_limit(start_agent: StartAgent, tmp_path: Path) -> None:
    """A file beyond the process's size limit is an error, not the end by SIGXFSZ."""
    agent = start_agent()
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
    with agent.client() as client:
        handle = open_file(client, tmp_path / "file", "w")
        assert write(client, handle, bytes(20_000)) == 10_000
        desc = failure(client, "guest-file-write", handle=handle, buf_b64="AAAA")
        assert desc == "failed to write to file: File too large"
        close(client, handle)


def test_text_file_busy(client: Client, tmp_path: Path) -> None:
    """A running program's file cannot be opened for writing, and the reason says so."""
    path = tmp_path / "program"
    path.write_bytes(Path("/bin/sleep").read_bytes())
    path.chmod(0o755)
    with subprocess.Popen([str(path), "100"]) as running:
        wait_until(lambda: os.readlink(f"/proc/{running.pid}/exe") == str(path), "it runs")
        desc = failure(client, "guest-file-open", path=str(path), mode="r+")
        running.kill()
    assert desc == f"failed to open file '{path}' (mode: 'r+'): Text file busy"


# Seeking


def test_seek(client: Client, tmp_path: Path) -> None:
    """Each whence, by number and by name, and what the position is afterwards."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    handle = open_file(client, path)
    assert seek(client, handle, 4, "set") == 4
    assert seek(client, handle, 3, 0) == 3
    assert seek(client, handle, 2, "cur") == 5
    assert seek(client, handle, -1, 1) == 4
    assert read(client, handle, 1) == (b"4", False)
    assert seek(client, handle, -3, "end") == 7
    assert seek(client, handle, 0, 2) == 10
    assert read(client, handle, 1) == (b"", True)
    assert seek(client, handle, 5, "cur") == 15
    assert read(client, handle, 1) == (b"", True)
    assert seek(client, handle, 0, "set") == 0
    assert read(client, handle, 2) == (b"01", False)
    close(client, handle)


def test_seek_out_of_range(client: Client, tmp_path: Path) -> None:
    """A position before the start is an error, and the position stays."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    handle = open_file(client, path)
    seek(client, handle, 3, "set")
    for offset, whence in ((-1, "set"), (-4, "cur"), (-11, "end"), (-(2**63), 0), (2**63 - 1, 1)):
        desc = failure(client, "guest-file-seek", handle=handle, offset=offset, whence=whence)
        assert desc.startswith("failed to seek file: "), desc
        assert desc.endswith(("Invalid argument", "Value too large for defined data type")), desc
    assert read(client, handle, 1) == (b"3", False)
    close(client, handle)


def test_bad_whence(client: Client, tmp_path: Path) -> None:
    """A whence code that is none is named, after the handle's check; names and types before."""
    handle = open_file(client, "/dev/null")
    for code in (7, -1, 3, 1 << 32, 2**63 - 1, -(2**63)):
        desc = failure(client, "guest-file-seek", handle=handle, offset=0, whence=code)
        assert desc == f"invalid whence code {code}"
        desc = failure(client, "guest-file-seek", handle=1, offset=0, whence=code)
        assert desc == "handle '1' has not been found"
    for at in (handle, 1):
        desc = failure(client, "guest-file-seek", handle=at, offset=0, whence="middle")
        assert desc == "Parameter 'whence' does not accept value 'middle'"
        desc = failure(client, "guest-file-seek", handle=at, offset=0, whence=True)
        assert desc == "Invalid parameter type for 'whence', expected: GuestFileWhence"
        desc = failure(client, "guest-file-seek", handle=at, offset=0)
        assert desc == "Parameter 'whence' is missing"
        desc = failure(client, "guest-file-seek", handle=at, whence=0)
        assert desc == "Parameter 'offset' is missing"
    close(client, handle)


def test_seek_of_what_cannot_seek(client: Client, tmp_path: Path) -> None:
    """A pipe has no position: the kernel's words come back."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    keep = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        handle = open_file(client, fifo)
        desc = failure(client, "guest-file-seek", handle=handle, offset=0, whence=0)
        assert desc == "failed to seek file: Illegal seek"
        close(client, handle)
    finally:
        os.close(keep)


def test_sparse_file_beyond_four_gibibytes(client: Client, tmp_path: Path) -> None:
    """Positions are 64 bits wide: a file with holes beyond 4 GiB is written and read there."""
    path = tmp_path / "sparse"
    handle = open_file(client, path, "w+")
    far = (5 << 30) + 12345
    assert seek(client, handle, far, "set") == far
    assert write(client, handle, b"far away") == 8
    assert seek(client, handle, 0, "cur") == far + 8
    assert seek(client, handle, -8, "end") == far
    assert read(client, handle, 100) == (b"far away", True)
    assert seek(client, handle, 1 << 32, "set") == 1 << 32
    assert read(client, handle, 10) == (bytes(10), False)
    close(client, handle)
    assert path.stat().st_size == far + 8
    assert path.stat().st_blocks * 512 < 1 << 20


# Against a model


APPEND_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND
MODEL_FLAGS = {"w+": os.O_RDWR | os.O_CREAT, "a+": APPEND_FLAGS}


@pytest.mark.parametrize("mode", MODEL_FLAGS)
@pytest.mark.parametrize("seed", range(3))
def test_against_a_model(client: Client, tmp_path: Path, mode: str, seed: int) -> None:
    """A few hundred random reads, writes, seeks and reopenings agree with the same calls on a
    file of ours, in every reply and in the bytes at the end."""
    dice = random.Random(seed)
    path, model_path = tmp_path / "file", tmp_path / "model"
    handle = open_file(client, path, mode)
    model = os.open(model_path, MODEL_FLAGS[mode])
    sizes = [0, 1, 2, 3, 100, 4095, 4096, 4097, 70_000]
    for step in range(300):
        # A stream of C's library needs a seek between a read and a write, so there is always one.
        whence = dice.choice([0, 1, 2])
        offset = dice.randrange(-20_000, 200_000) if whence else dice.randrange(200_000)
        try:
            expected = os.lseek(model, offset, whence)
        except OSError:
            desc = failure(client, "guest-file-seek", handle=handle, offset=offset, whence=whence)
            assert desc == "failed to seek file: Invalid argument", step
            expected = os.lseek(model, 0, 0)
            offset, whence = 0, 0
        assert seek(client, handle, offset, whence) == expected, step
        size = dice.choice(sizes) + dice.randrange(3)
        if dice.random() < 0.5:
            data = dice.randbytes(size)
            cut = dice.choice([None, size, size // 2])
            kept = data if cut is None else data[:cut]
            assert write(client, handle, data, cut) == os.write(model, kept), step
        else:
            wanted = os.read(model, size)
            assert read(client, handle, size) == (wanted, len(wanted) < size), step
        if dice.random() < 0.05:
            close(client, handle)
            os.close(model)
            handle = open_file(client, path, "r+" if mode == "w+" else mode)
            model = os.open(model_path, MODEL_FLAGS[mode])
    close(client, handle)
    os.close(model)
    assert path.read_bytes() == model_path.read_bytes()


def test_two_handles_on_one_file(client: Client, tmp_path: Path) -> None:
    """Two handles of one file have positions of their own and see each other's bytes."""
    path = tmp_path / "file"
    writer = open_file(client, path, "w")
    reader = open_file(client, path, "r")
    for chunk in (b"first ", b"second ", b"third"):
        write(client, writer, chunk)
        client.call("guest-file-flush", handle=writer)
        assert read(client, reader, len(chunk)) == (chunk, False)
    close(client, writer)
    assert read(client, reader, 1) == (b"", True)
    close(client, reader)


@pytest.mark.ours
def test_slow_reader_of_a_large_reply(agent: Agent, tmp_path: Path) -> None:
    """A client that takes a 16 MiB reply in small bites gets all of it, in order."""
    content = random.Random(16).randbytes(16 << 20)
    path = tmp_path / "file"
    path.write_bytes(content)
    with agent.client(60.0) as client:
        handle = open_file(client, path)
        request = {
            "execute": "guest-file-read",
            "arguments": {"handle": handle, "count": len(content)},
        }
        client.send(json.dumps(request).encode() + b'{"execute":"guest-ping"}')
        collected = bytearray()
        while collected.count(b"\n", max(0, len(collected) - 4096)) < 2:
            piece = client.sock.recv(4096)
            assert piece
            collected += piece
        reply, pong = collected.splitlines()
        assert json.loads(pong) == {"return": {}}
        assert base64.b64decode(json.loads(reply)["return"]["buf-b64"]) == content
        close(client, handle)


@pytest.mark.ours
def test_file_that_shrinks_during_a_read(agent: Agent, tmp_path: Path) -> None:
    """A file cut short while its reply is already on the way still gives a well-formed reply
    whose count is what was sent."""
    path = tmp_path / "file"
    path.write_bytes(b"s" * (32 << 20))
    with agent.client(60.0) as client:
        handle = open_file(client, path)
        request = {
            "execute": "guest-file-read",
            "arguments": {"handle": handle, "count": 32 << 20},
        }
        client.send(json.dumps(request).encode())
        wait_until(lambda: len(client.sock.recv(1 << 16, 0x2)) > 1000, "the reply begins")
        os.truncate(path, 1 << 20)
        reply = json.loads(client.line())["return"]
        data = base64.b64decode(reply["buf-b64"], validate=True)
        assert reply["count"] == len(data)
        assert set(data) == {ord("s")}
        assert reply["eof"] is True
        assert len(data) < 32 << 20
        close(client, handle)


def test_reads_while_another_process_writes(client: Client, tmp_path: Path) -> None:
    """A file that grows while it is read, as a log does, is read without loss."""
    path = tmp_path / "log"
    path.touch()
    lines = b"".join(b"line %06d\n" % number for number in range(20_000))

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            for start in range(0, len(lines), 5000):
                file.write(lines[start:start + 5000])

    writer = threading.Thread(target=grow)
    handle = open_file(client, path)
    writer.start()
    collected = bytearray()

    def caught_up() -> bool:
        data, _ = read(client, handle, 65536)
        collected.extend(data)
        return len(collected) >= len(lines)

    try:
        wait_until(caught_up, "all lines were read")
    finally:
        writer.join()
    assert bytes(collected) == lines
    close(client, handle)
