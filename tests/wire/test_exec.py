"""The program commands: guest-exec and guest-exec-status."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import procfs
from agent_process import PATIENCE_S, Agent, wait_until
from conftest import StartAgent
from connect import connect, end_process
from qga import AgentError, Client

CAPTURE_MAX = 16 << 20
ARGUMENT_MAX = 131_071  # MAX_ARG_STRLEN without the terminating NUL
PYTHON = "/usr/bin/python3"
SENTENCE = "\u201c{}\u201d"


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def start(client: Client, path: str, *arg: str, **more: Any) -> int:
    """guest-exec; returns the pid."""
    reply = client.call("guest-exec", path=path, arg=list(arg), **more)
    assert set(reply) == {"pid"}
    pid: int = reply["pid"]
    return pid


def status_of(client: Client, pid: int) -> dict[str, Any]:
    """guest-exec-status, whose shape is checked."""
    status: dict[str, Any] = client.call("guest-exec-status", pid=pid)
    if not status["exited"]:
        assert set(status) == {"exited"}
        return status
    assert ("exitcode" in status) != ("signal" in status)
    members = set(status) - {"exited", "exitcode", "signal"}
    for stream in ("out", "err"):
        assert (f"{stream}-data" in members) == (f"{stream}-truncated" in members)
    assert members <= {"out-data", "out-truncated", "err-data", "err-truncated"}
    return status


def collect(client: Client, pid: int, limit_s: float = PATIENCE_S) -> dict[str, Any]:
    """Ask for a program's status until it has exited."""
    last: dict[str, Any] = {}

    def exited() -> bool:
        last.clear()
        last.update(status_of(client, pid))
        return bool(last["exited"])

    wait_until(exited, f"program {pid} has exited", limit_s)
    return last


def output(status: dict[str, Any], stream: str = "out") -> bytes:
    return base64.b64decode(status.get(f"{stream}-data", ""), validate=True)


def shell(client: Client, script: str, **more: Any) -> dict[str, Any]:
    """Run a shell script to its end."""
    more.setdefault("capture_output", True)
    return collect(client, start(client, "/bin/sh", "-c", script, **more))


def failure(client: Client, command: str, **arguments: Any) -> str:
    """The text of the error that a command must answer with."""
    with pytest.raises(AgentError) as caught:
        client.call(command, **arguments)
    assert caught.value.error_class == "GenericError"
    return caught.value.desc


def cannot_start(path: str, reason: str) -> str:
    """QEMU's agent's words for a program that cannot be started."""
    return (
        "Guest agent command failed, error was "
        f"'Failed to execute child process {SENTENCE.format(path)} ({reason})'"
    )


@contextmanager
def by_hand(program: Path, folder: Path, **how: Any) -> Iterator[Client]:
    """A client of an agent that subprocess starts in a way that the fixtures have no words for."""
    argv = [str(program), "-m", "unix-listen", "-p", f"{folder}/sock", "-t", str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, **how) as process:
        try:
            with connect(folder / "sock") as connection:
                yield connection
        finally:
            end_process(process)


@pytest.fixture
def client(shared_agent: Agent) -> Iterator[Client]:
    """A connection to the agent that all tests here share, unless they need one of their own."""
    with shared_agent.client() as connection:
        yield connection


# How a program ends


def test_true_and_false(client: Client) -> None:
    """Exit codes come back; without capture there is nothing else."""
    assert collect(client, start(client, "true")) == {"exited": True, "exitcode": 0}
    assert collect(client, start(client, "/bin/false")) == {"exited": True, "exitcode": 1}


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 128, 200, 255])
def test_exit_codes(client: Client, code: int) -> None:
    """Every exit code from 0 to 255 is told as it is."""
    pid = start(client, "/bin/sh", "-c", f"exit {code}")
    assert collect(client, pid) == {"exited": True, "exitcode": code}


@pytest.mark.parametrize("number", [1, 2, 3, 6, 9, 11, 13, 14, 15, 34, 64])
def test_signals(client: Client, number: int) -> None:
    """A program that a signal ended has that signal and no exit code, also with a core dump."""
    pid = start(client, "/bin/sh", "-c", f"ulimit -c 0; kill -{number} $$; sleep 100")
    assert collect(client, pid) == {"exited": True, "signal": number}


@pytest.mark.ours
def test_second_status(client: Client) -> None:
    """The result is told once; then the pid is unknown."""
    pid = start(client, "true")
    collect(client, pid)
    assert failure(client, "guest-exec-status", pid=pid) == f"PID {pid} does not exist"


@pytest.mark.ours
@pytest.mark.parametrize("pid", [0, 1, -1, 1 << 31, 1 << 32, 2**63 - 1, -(2**63)])
def test_unknown_pids(client: Client, pid: int) -> None:
    """A pid that was not started here is unknown, whatever its value, and is named in full."""
    assert failure(client, "guest-exec-status", pid=pid) == f"PID {pid} does not exist"


@pytest.mark.ours
def test_wide_pid_is_not_cut(client: Client) -> None:
    """A pid with 32 bits more does not alias a program of ours."""
    pid = start(client, "true")
    alias = pid + (1 << 32)
    assert failure(client, "guest-exec-status", pid=alias) == f"PID {alias} does not exist"
    collect(client, pid)


def test_status_while_running(client: Client, tmp_path: Path) -> None:
    """A running program is `exited: false` and nothing more, as often as one asks, though it has
    written already; other requests and other programs are served meanwhile."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pid = start(client, "/bin/sh", "-c", f"echo early; read x < {fifo}; echo $x",
                capture_output=True)
    for _ in range(5):
        assert status_of(client, pid) == {"exited": False}
        assert client.call("guest-ping") == {}
        assert output(shell(client, "echo other")) == b"other\n"
    fifo.write_bytes(b"go\n")
    assert output(collect(client, pid)) == b"early\ngo\n"


def test_result_outlives_its_client(agent: Agent) -> None:
    """Another client collects what the one before it started."""
    with agent.client() as client:
        pid = start(client, "/bin/echo", "kept", capture_output=True)
    with agent.client() as client:
        assert output(collect(client, pid)) == b"kept\n"


# Capturing


BOTH = "echo out; echo err >&2"


CAPTURED: dict[bool | str | None, tuple[bytes, bytes]] = {
    None: (b"", b""),
    False: (b"", b""),
    True: (b"out\n", b"err\n"),
    "none": (b"", b""),
    "stdout": (b"out\n", b""),
    "stderr": (b"", b"err\n"),
    "separated": (b"out\n", b"err\n"),
    "merged": (b"out\nerr\n", b""),
}


@pytest.mark.parametrize("capture", CAPTURED)
def test_capture_modes(
    client: Client, shared_agent: Agent, capture: bool | str | None
) -> None:
    """The modes, as a boolean and by name: each stream where it belongs, absent when empty."""
    if shared_agent.is_reference and isinstance(capture, str):
        pytest.skip("QEMU's agent 7.2 knows no modes by name")
    out, err = CAPTURED[capture]
    more: dict[str, Any] = {} if capture is None else {"capture_output": capture}
    expected: dict[str, Any] = {"exited": True, "exitcode": 0}
    for stream, data in (("out", out), ("err", err)):
        if data:
            expected[f"{stream}-data"] = encode(data)
            expected[f"{stream}-truncated"] = False
    assert collect(client, start(client, "/bin/sh", "-c", BOTH, **more)) == expected


def test_nothing_written(client: Client) -> None:
    """Captured streams in which nothing came have neither data nor truncated."""
    pid = start(client, "true", capture_output=True)
    assert collect(client, pid) == {"exited": True, "exitcode": 0}


@pytest.mark.ours
def test_bad_capture_modes(client: Client) -> None:
    """Another name is not accepted, another type is named as the wrong one."""
    desc = failure(client, "guest-exec", path="true", capture_output="zz")
    assert desc == "Parameter 'capture-output' does not accept value 'zz'"
    values: list[Any] = [5, None, [], {}, 1.5]
    for value in values:
        desc = failure(client, "guest-exec", path="true", capture_output=value)
        assert desc == (
            "Invalid parameter type for 'capture-output', expected: GuestExecCaptureOutput"
        )


@pytest.mark.ours
def test_merged_keeps_the_order(client: Client) -> None:
    """Merged, the two streams are one, in the order in which the program wrote."""
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done"
    expected = "".join(f"o{i}\ne{i}\n" for i in range(1, 10)).encode()
    status = shell(client, script, capture_output="merged")
    assert output(status) == expected
    assert "err-data" not in status


def test_both_streams_at_once(client: Client) -> None:
    """A program that alternates between two full streams loses nothing and never blocks."""
    script = (
        "import os\n"
        "for i in range(2000):\n"
        "    os.write(1, b'o%07d' % i * 100)\n"
        "    os.write(2, b'e%07d' % i * 100)\n"
    )
    status = collect(client, start(client, PYTHON, "-c", script, capture_output=True))
    assert output(status, "out") == b"".join(b"o%07d" % i * 100 for i in range(2000))
    assert output(status, "err") == b"".join(b"e%07d" % i * 100 for i in range(2000))
    assert (status["out-truncated"], status["err-truncated"]) == (False, False)


def test_binary_output(client: Client) -> None:
    """Every byte value comes through."""
    everything = bytes(range(256))
    pid = start(client, "/bin/cat", input_data=encode(everything * 3), capture_output=True)
    assert output(collect(client, pid)) == everything * 3


@pytest.mark.parametrize("size", [1, 2, 3, 4095, 4096, 4097, 65535, 65536, 65537, 1_000_001])
def test_output_sizes(client: Client, size: int) -> None:
    """Output of any size around the seams of pipes and buffers comes whole."""
    status = shell(client, f"head -c {size} /dev/zero | tr '\\0' x")
    assert output(status) == b"x" * size
    assert status["out-truncated"] is False


@pytest.mark.parametrize("size", [CAPTURE_MAX - 1, CAPTURE_MAX + 1, 20_000_000])
def test_output_cap(client: Client, size: int) -> None:
    """At most 16 MiB of a stream are kept, exactly; truncated says whether something was lost;
    the program runs to its end."""
    status = shell(client, f"head -c {size} /dev/zero && echo done >&2; exit 7")
    assert status["exitcode"] == 7
    assert output(status, "err") == b"done\n"
    data = output(status)
    assert len(data) == min(size, CAPTURE_MAX)
    assert data.count(0) == len(data)
    assert status["out-truncated"] is (size > CAPTURE_MAX)
    assert status["err-truncated"] is False


@pytest.mark.ours
def test_output_of_exactly_the_cap(client: Client) -> None:
    """16 MiB to the byte are all there, so nothing was truncated; one stream does not count
    against the other."""
    script = f"head -c {CAPTURE_MAX} /dev/zero; head -c {CAPTURE_MAX} /dev/zero >&2"
    status = shell(client, script)
    for stream in ("out", "err"):
        assert len(output(status, stream)) == CAPTURE_MAX
        assert status[f"{stream}-truncated"] is False


# Input


@pytest.mark.parametrize(
    "data", [b"text\n", bytes(range(256)), b"x", b"\n" * 5000], ids=["text", "bytes", "x", "lines"]
)
def test_input(client: Client, data: bytes) -> None:
    """input-data is what the program reads, to the byte, and then its end."""
    pid = start(client, "/bin/cat", input_data=encode(data), capture_output=True)
    assert output(collect(client, pid)) == data


def test_streams_not_captured(client: Client, tmp_path: Path) -> None:
    """Without input-data stdin is /dev/null, and so are the streams that are not captured."""
    result = tmp_path / "links"
    script = f"ls -l /proc/$$/fd | cat > {result}; cat"
    assert collect(client, start(client, "/bin/sh", "-c", script))["exitcode"] == 0
    links = dict(re.findall(r" (\d+) -> (.*)", result.read_text()))
    assert {number: links[number] for number in "012"} == dict.fromkeys("012", "/dev/null")


def test_empty_input(client: Client) -> None:
    """An empty input-data is an empty input."""
    pid = start(client, "/usr/bin/wc", "-c", input_data="", capture_output=True)
    assert output(collect(client, pid)) == b"0\n"


def test_large_input(client: Client) -> None:
    """4 MiB go through `cat` and `sha256sum` unharmed: input and output are served together."""
    data = random.Random(1).randbytes(4 << 20)
    pid = start(client, "/bin/cat", input_data=encode(data), capture_output=True)
    other = start(client, "/usr/bin/sha256sum", input_data=encode(data), capture_output=True)
    assert output(collect(client, other)).split()[0].decode() == hashlib.sha256(data).hexdigest()
    assert output(collect(client, pid)) == data


def test_input_that_nobody_reads(client: Client) -> None:
    """A program that ends, or lives on, without reading its large input disturbs nothing."""
    data = encode(bytes(4 << 20))
    assert collect(client, start(client, "true", input_data=data))["exitcode"] == 0
    pid = start(client, "/bin/sleep", "100", input_data=data)
    assert client.call("guest-ping") == {}
    assert output(shell(client, "echo meanwhile")) == b"meanwhile\n"
    assert status_of(client, pid) == {"exited": False}
    os.kill(pid, signal.SIGKILL)
    assert collect(client, pid) == {"exited": True, "signal": 9}


def test_input_read_in_part(client: Client) -> None:
    """A program may read a little, close its stdin, and go on: the agent gets no SIGPIPE."""
    pid = start(client, "/bin/sh", "-c", "head -c 5; exec <&-; echo; echo on",
                input_data=encode(b"hello" + bytes(1 << 20)), capture_output=True)
    status = collect(client, pid)
    assert output(status) == b"hello\non\n"
    assert status["exitcode"] == 0


def test_input_read_slowly(client: Client, tmp_path: Path) -> None:
    """A program that starts to read late still gets everything."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    data = random.Random(2).randbytes(1 << 20)
    pid = start(client, "/bin/sh", "-c", f"read x < {fifo}; sha256sum",
                input_data=encode(data), capture_output=True)
    assert status_of(client, pid) == {"exited": False}
    fifo.write_bytes(b"go\n")
    digest = output(collect(client, pid)).split()[0].decode()
    assert digest == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "text", ["!!!", "QUJD!UJD", "QUJDé"], ids=["none", "middle", "beyond ascii"]
)
def test_bad_input(client: Client, text: str, tmp_path: Path) -> None:
    """input-data that is no base64 is an error, and the program is not started."""
    mark = tmp_path / "started"
    desc = failure(
        client, "guest-exec", path="/usr/bin/touch", arg=[str(mark)], input_data=text
    )
    assert desc == "Base64 data contains invalid characters"
    assert not mark.exists()


@pytest.mark.ours
def test_incomplete_input(client: Client) -> None:
    """Base64 that ends in the middle of a group is an error here as in a write."""
    assert "base64" in failure(client, "guest-exec", path="true", input_data="QUJDQ").lower()


# Environment, search, arguments


@pytest.fixture
def known(start_agent: StartAgent, tmp_path: Path) -> Agent:
    """An agent whose own environment is known."""
    folder = tmp_path / "own"
    folder.mkdir()
    return start_agent(env={"PATH": f"{folder}:/usr/bin:/bin", "OWN": "agent's"})


def without_sanitizers(text: bytes) -> dict[str, str]:
    """The lines of `env`, without what the tests themselves set for sanitizer builds."""
    pairs = (line.split("=", 1) for line in text.decode().splitlines())
    return {key: value for key, value in pairs if not key.endswith("SAN_OPTIONS")}


def test_environment_absent(known: Agent) -> None:
    """Without env the program has the agent's environment."""
    with known.client() as client:
        pid = start(client, "/usr/bin/env", capture_output=True)
        found = without_sanitizers(output(collect(client, pid)))
    assert found["OWN"] == "agent's"
    assert set(found) == {"OWN", "PATH"}


def test_environment_replaced(known: Agent) -> None:
    """env replaces the environment: exactly what was sent, in its order."""
    given = ["B=2", "A=1", "EMPTY=", "TWICE==", "U=größe", "S=a b\n c"]
    with known.client() as client:
        pid = start(client, "/bin/cat", "/proc/self/environ", env=given, capture_output=True)
        found = output(collect(client, pid))
    assert found == b"".join(item.encode() + b"\0" for item in given)


@pytest.mark.ours
def test_environment_empty(known: Agent) -> None:
    """`env: []` is an empty environment, not an absent one."""
    with known.client() as client:
        pid = start(client, "/bin/cat", "/proc/self/environ", env=[], capture_output=True)
        assert collect(client, pid) == {"exited": True, "exitcode": 0}


def put_script(path: Path, words: str, mode: int = 0o755) -> None:
    path.write_text(f"#!/bin/sh\necho {words}\n")
    path.chmod(mode)


def test_search_in_own_path(known: Agent, tmp_path: Path) -> None:
    """A path without a slash is searched in the agent's PATH, in its order."""
    put_script(tmp_path / "own" / "only-here", "own")
    put_script(tmp_path / "own" / "cat", "not that of the system")
    with known.client() as client:
        assert client.run("only-here")["out-data"] == b"own\n"
        assert client.run("cat")["out-data"] == b"not that of the system\n"
        desc = failure(client, "guest-exec", path="nowhere")
        assert "nowhere" in desc and "No such file or directory" in desc


@pytest.mark.ours
def test_search_in_given_path(known: Agent, tmp_path: Path) -> None:
    """PATH is that of env if it has one, else the agent's; it is not the agent's own first."""
    given = tmp_path / "given"
    given.mkdir()
    put_script(given / "tool", "given")
    put_script(tmp_path / "own" / "tool", "own")
    put_script(tmp_path / "own" / "only-own", "own")
    with known.client() as client:
        env = [f"PATH={given}"]
        assert client.run("tool", env=env)["out-data"] == b"given\n"
        assert client.run("tool", env=["X=1"])["out-data"] == b"own\n"
        assert client.run("tool", env=[])["out-data"] == b"own\n"
        assert client.run("tool")["out-data"] == b"own\n"
        desc = failure(client, "guest-exec", path="only-own", env=env)
        assert "only-own" in desc and "No such file or directory" in desc
        assert client.run("tool", env=["XPATH=/x", "PATHX=/x"])["out-data"] == b"own\n"


@pytest.mark.ours
def test_search_passes_what_cannot_run(known: Agent, tmp_path: Path) -> None:
    """The search goes on past folders, files that may not be executed, and broken entries; if
    nothing else is found, the reason is the permission."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second, first / "both"):
        folder.mkdir()
    put_script(first / "tool", "first", 0o644)
    put_script(second / "tool", "second")
    put_script(second / "both", "second")
    put_script(first / "forbidden", "first", 0o644)
    env = [f"PATH={tmp_path / 'absent'}:{first}:{tmp_path / 'own' / 'x'}:{second}"]
    with known.client() as client:
        assert client.run("tool", env=env)["out-data"] == b"second\n"
        assert client.run("both", env=env)["out-data"] == b"second\n"
        desc = failure(client, "guest-exec", path="forbidden", env=env)
        assert "forbidden" in desc and "Permission denied" in desc


@pytest.mark.ours
def test_long_path_entries(known: Agent, tmp_path: Path) -> None:
    """A PATH whose entries or length exceed any buffer is searched, or passed over, safely."""
    put_script(tmp_path / "own" / "tool", "found")
    long = ":".join(["/" + "d" * 5000, "/x" * 4000, str(tmp_path / "own")])
    with known.client() as client:
        assert client.run("tool", env=[f"PATH={long}"])["out-data"] == b"found\n"
        failure(client, "guest-exec", path="n" * 300)
        failure(client, "guest-exec", path="n" * 100_000)
        assert client.call("guest-ping") == {}


def test_slash_means_no_search(known: Agent, tmp_path: Path) -> None:
    """A relative path with a slash starts at the agent's folder, not in PATH."""
    (tmp_path / "own" / "sub").mkdir()
    put_script(tmp_path / "own" / "sub" / "tool", "found")
    with known.client() as client:
        failure(client, "guest-exec", path="sub/tool")


def test_working_folder(start_agent: StartAgent, tmp_path: Path) -> None:
    """The program's working folder is the agent's, and relative paths start there."""
    put_script(tmp_path / "tool", "relative")
    agent = start_agent(cwd=tmp_path)
    with agent.client() as client:
        assert client.run("/bin/pwd")["out-data"].decode().strip() == str(tmp_path)
        assert client.run("./tool")["out-data"] == b"relative\n"


def test_argv_zero_is_the_path(client: Client, tmp_path: Path) -> None:
    """argv[0] is path as it was given, found in PATH or not; the others follow unchanged."""
    for path in ("cat", "/bin/cat", "/bin/../bin/cat"):
        found = client.run(path, "/proc/self/cmdline")["out-data"]
        assert found == path.encode() + b"\0/proc/self/cmdline\0"


def test_arguments(client: Client) -> None:
    """Empty arguments, white space, quotes, newlines and UTF-8 reach the program as they are."""
    words = ["", " ", "a b", "'", '"', "\\", "\n\t", "größe 𝄞", "-n", "%s", "$HOME", "*", "\x7f"]
    status = client.run(PYTHON, "-c", "import os, sys; os.write(1, repr(sys.argv).encode())",
                        *words, env=["LANG=C.UTF-8"])
    assert status["out-data"].decode() == repr(["-c"] + words)


def test_no_arguments(client: Client) -> None:
    """arg may be absent or empty: the program has argv[0] alone."""
    cases: list[dict[str, Any]] = [{}, {"arg": []}]
    for arguments in cases:
        pid = client.call("guest-exec", path="/bin/sh", capture_output=True,
                          input_data=encode(b"echo $#"), **arguments)["pid"]
        assert output(collect(client, pid)) == b"0\n"


@pytest.mark.ours
def test_nul_in_strings(client: Client) -> None:
    """A NUL in an argument, the environment or the path is an error that names which."""
    assert "arg[1]" in failure(client, "guest-exec", path="echo", arg=["a", "b\0c"])
    assert "env[2]" in failure(client, "guest-exec", path="echo", env=["A=1", "B=2", "C\0=3"])
    assert "path" in failure(client, "guest-exec", path="echo\0x")


def test_wrong_types(client: Client) -> None:
    """Types are checked down into the lists."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "Parameter 'path' is missing"),
        ({"path": 1}, "Invalid parameter type for 'path', expected: string"),
        ({"path": "true", "arg": "x"}, "Invalid parameter type for 'arg', expected: array"),
        ({"path": "true", "arg": ["a", 1]},
         "Invalid parameter type for 'arg[1]', expected: string"),
        ({"path": "true", "env": [None]}, "Invalid parameter type for 'env[0]', expected: string"),
        ({"path": "true", "input-data": 1},
         "Invalid parameter type for 'input-data', expected: string"),
        ({"path": "true", "xyz": 1}, "Parameter 'xyz' is unexpected"),
    ]
    for arguments, desc in cases:
        assert failure(client, "guest-exec", **arguments) == desc


def test_ten_thousand_arguments(client: Client) -> None:
    """A megabyte of arguments, 10,000 of them, arrives complete."""
    words = [f"{number:0>100}" for number in range(10_000)]
    status = client.run("/bin/sh", "-c", 'echo $# "$1" "${10000}"', "sh", *words)
    assert status["out-data"].decode().split() == ["10000", words[0], words[-1]]


def test_large_environment(client: Client) -> None:
    """A megabyte of environment, 5,000 variables, arrives complete."""
    env = [f"V{number}={number:0>200}" for number in range(5000)]
    status = client.run("/bin/cat", "/proc/self/environ", env=env)
    assert status["out-data"] == b"".join(item.encode() + b"\0" for item in env)


def test_longest_argument(client: Client) -> None:
    """The longest string that the kernel takes works; one more byte is the kernel's error."""
    status = client.run("/bin/echo", "-n", "x" * ARGUMENT_MAX)
    assert status["out-data"] == b"x" * ARGUMENT_MAX
    desc = failure(client, "guest-exec", path="/bin/echo", arg=["x" * (ARGUMENT_MAX + 1)])
    assert "/bin/echo" in desc and "Argument list too long" in desc


@pytest.mark.ours
@pytest.mark.parametrize("count, size", [(60, 100_000), (100_000, 50), (300_000, 1)])
def test_too_much_is_an_error(client: Client, count: int, size: int) -> None:
    """Too many or too large arguments are an error, from the kernel or the agent; it goes on."""
    arguments = {"path": "/bin/true", "arg": ["x" * size] * count}
    reply = client.request({"execute": "guest-exec", "arguments": arguments})
    if "return" in reply:
        assert collect(client, reply["return"]["pid"])["exitcode"] == 0
    else:
        assert reply["error"]["desc"]
    assert client.call("guest-ping") == {}
    assert output(shell(client, "echo on")) == b"on\n"


# Programs that cannot be started


def test_missing_program(client: Client) -> None:
    """A program that is not there: path and reason, as QEMU's agent words it."""
    for path in ("/no/such/program", "no-such-program", ""):
        desc = failure(client, "guest-exec", path=path)
        assert desc == cannot_start(path, "No such file or directory")


def test_programs_that_cannot_run(client: Client, tmp_path: Path) -> None:
    """A folder, a file without permission, a loop, a missing interpreter: path and reason."""
    plain = tmp_path / "plain"
    plain.write_bytes(b"data")
    lost = tmp_path / "lost"
    lost.write_text("#!/no/such/interpreter\n")
    lost.chmod(0o755)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    cases = {
        str(tmp_path): "Permission denied",
        str(plain): "Permission denied",
        str(lost): "No such file or directory",
        str(loop): "Too many levels of symbolic links",
        f"{plain}/x": "Not a directory",
    }
    for path, reason in cases.items():
        assert failure(client, "guest-exec", path=path) == cannot_start(path, reason)


@pytest.mark.ours
@pytest.mark.parametrize("content", [b"\x7fELF garbage", b"\0\0\0\0binary"])
def test_no_program_at_all(client: Client, tmp_path: Path, content: bytes) -> None:
    """A file that is executable but no program is an error with the kernel's reason."""
    path = tmp_path / "garbage"
    path.write_bytes(content)
    path.chmod(0o755)
    desc = failure(client, "guest-exec", path=str(path))
    assert str(path) in desc and "Exec format error" in desc


def test_failed_start_leaves_nothing(agent: Agent) -> None:
    """A hundred failed starts leave neither children nor descriptors, whatever was to be
    captured, and the agent goes on."""
    before = len(agent.descriptors())
    with agent.client() as client:
        for _ in range(100):
            failure(client, "guest-exec", path="/no/such", capture_output=True,
                    input_data=encode(b"x" * 10_000))
        wait_until(lambda: not agent.children(), "no children")
        assert len(agent.descriptors()) <= before + 1
        assert output(shell(client, "echo on")) == b"on\n"


@pytest.mark.ours
def test_no_descriptors_left(start_agent: StartAgent) -> None:
    """An agent that has no descriptor left for a program's pipes says so and lives on."""
    agent = start_agent()
    with agent.client() as client:
        limit = len(agent.descriptors()) + 2
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (limit, 20000))
        desc = failure(client, "guest-exec", path="/bin/cat", capture_output=True,
                       input_data="QUJD")
        assert "Too many open files" in desc, desc
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (1024, 20000))
        pid = start(client, "/bin/cat", capture_output=True, input_data="QUJD")
        assert output(collect(client, pid)) == b"ABC"


@pytest.mark.ours
def test_no_processes_left(agent_path: Path, short_tmp: Path) -> None:
    """Where no further process can be made the error says why, and the agent lives on."""
    if os.geteuid() != 0:
        pytest.skip("starting the agent as another user needs root")
    short_tmp.chmod(0o777)
    # Where another user can reach it.
    program = Path(shutil.copy(agent_path, short_tmp))
    with by_hand(
        program,
        short_tmp,
        user=65534,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (1, 1)),
    ) as client:
        for _ in range(3):
            desc = failure(client, "guest-exec", path="/bin/true", capture_output=True)
            assert "/bin/true" in desc and "Resource temporarily unavailable" in desc
        assert client.call("guest-ping") == {}


# Streams and ends


def test_exited_waits_for_the_streams(client: Client, tmp_path: Path) -> None:
    """While a grandchild holds the pipe the program has not exited, though its process is gone;
    what the grandchild writes belongs to the output."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pid = start(client, "/bin/sh", "-c", f"(read x < {fifo}; echo late) & echo early",
                capture_output=True)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the program was reaped")
    for _ in range(3):
        assert status_of(client, pid) == {"exited": False}
    fifo.write_bytes(b"go\n")
    status = collect(client, pid)
    assert output(status) == b"early\nlate\n"
    assert status["exitcode"] == 0


def test_grandchild_without_capture(client: Client, tmp_path: Path) -> None:
    """Without capture nothing but the program itself is waited for."""
    note = tmp_path / "pid"
    pid = start(client, "/bin/sh", "-c", f"sleep 100 & echo $! > {note}; exit 3")
    assert collect(client, pid)["exitcode"] == 3
    os.kill(int(note.read_text()), signal.SIGKILL)


def test_program_that_closes_its_streams(client: Client, tmp_path: Path) -> None:
    """A program that closes stdout and stderr and lives on has not exited."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pid = start(client, "/bin/sh", "-c", f"echo said; exec >&- 2>&-; read x < {fifo}; exit 5",
                capture_output=True)
    wait_until(lambda: not os.path.lexists(f"/proc/{pid}/fd/1"), "stdout closed")
    for _ in range(3):
        assert status_of(client, pid) == {"exited": False}
    fifo.write_bytes(b"go\n")
    status = collect(client, pid)
    assert (output(status), status["exitcode"]) == (b"said\n", 5)


# What the program inherits


def test_descriptors_of_the_program(agent: Agent) -> None:
    """The program has its three streams and nothing of the agent's."""
    with agent.client() as client:
        handle = client.call("guest-file-open", path="/dev/null")
        other = start(client, "/bin/sleep", "100", capture_output=True, input_data="QUJD")
        found = client.run("/bin/ls", "/proc/self/fd")["out-data"].split()
        assert found == [b"0", b"1", b"2", b"3"], "the last is the folder that ls reads"
        client.call("guest-file-close", handle=handle)
        os.kill(other, signal.SIGKILL)
        collect(client, other)


@pytest.mark.ours
def test_descriptors_the_agent_inherited(agent_path: Path, short_tmp: Path) -> None:
    """What the agent inherited from whoever started it is not passed on either."""
    ends = os.pipe()
    try:
        with by_hand(agent_path, short_tmp, pass_fds=ends) as client:
            found = client.run("/bin/ls", "/proc/self/fd")["out-data"].split()
            assert found == [b"0", b"1", b"2", b"3"]
    finally:
        for end in ends:
            os.close(end)


@pytest.mark.ours
def test_closed_standard_streams(agent_path: Path, short_tmp: Path) -> None:
    """An agent started with its streams closed, as by an init, still gives programs theirs."""
    def close_all() -> None:
        for number in range(3):
            os.close(number)

    with by_hand(agent_path, short_tmp, preexec_fn=close_all) as client:
        data = encode(b"abc")
        status = client.run("/bin/sh", "-c", "cat; echo err >&2", input_data=data)
        assert (status["out-data"], status["err-data"]) == (b"abc", b"err\n")
        found = client.run("/bin/ls", "/proc/self/fd")["out-data"].split()
        assert found == [b"0", b"1", b"2", b"3"]


@pytest.mark.ours
def test_own_session(client: Client) -> None:
    """The program leads a session and a process group of its own."""
    pid = start(client, "/bin/cat", "/proc/self/stat", capture_output=True)
    fields = output(collect(client, pid)).decode().rpartition(")")[2].split()
    group, session, terminal = (int(field) for field in fields[2:5])
    assert (group, session, terminal) == (pid, pid, 0)


@pytest.mark.ours
def test_default_signals(start_agent: StartAgent) -> None:
    """The program starts with no signal ignored or blocked, even where the agent was started
    with some ignored and some blocked."""
    ignored = [signal.SIGQUIT, signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM, signal.SIGINT]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGCHLD])
    try:
        agent = start_agent()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)
    with agent.client() as client:
        status = client.run("/bin/cat", "/proc/self/status")["out-data"].decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ("SigIgn", "SigBlk", "SigPnd", "ShdPnd"):
        assert int(fields[name], 16) == 0, name


@pytest.mark.ours
def test_default_descriptor_limit(start_agent: StartAgent) -> None:
    """The program has the descriptor limit that the agent was started with, whatever the agent
    has raised for itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (777, hard))
    try:
        agent = start_agent()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with agent.client() as client:
        assert output(shell(client, "ulimit -Sn; ulimit -Hn")).split() == [
            b"777", str(hard).encode()
        ]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_umask(start_agent: StartAgent, umask: int) -> None:
    """The program has the umask of the agent."""
    before = os.umask(umask)
    try:
        agent = start_agent()
    finally:
        os.umask(before)
    with agent.client() as client:
        assert int(output(shell(client, "umask")), 8) == umask


# Many


def test_a_thousand_in_a_row(agent: Agent) -> None:
    """A thousand programs, each collected, leave no descriptor, no child and no memory behind."""
    with agent.client() as client:
        collect(client, start(client, "true", capture_output=True))
        before = len(agent.descriptors())
        for number in range(1000):
            pid = start(client, "/bin/true", capture_output=bool(number % 2))
            assert collect(client, pid)["exitcode"] == 0
        wait_until(lambda: not agent.children(), "no children")
        assert len(agent.descriptors()) <= before


def test_a_hundred_at_once(agent: Agent, tmp_path: Path) -> None:
    """A hundred programs run together, each with its input, output and exit code; all end at
    once; nothing is mixed up, in whatever order they are collected."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    keep = os.open(gate, os.O_RDWR)
    try:
        with agent.client() as client:
            before = len(agent.descriptors())
            pids = {}
            for number in range(100):
                script = f"cat; exec 3< {gate}; read x <&3; echo {number} >&2; exit {number}"
                pids[number] = start(client, "/bin/sh", "-c", script, capture_output=True,
                                     input_data=encode(b"input %d" % number))
            assert len(set(pids.values())) == 100
            for pid in pids.values():
                assert status_of(client, pid) == {"exited": False}
            os.write(keep, b"go\n" * 100)
            order = list(pids)
            random.Random(3).shuffle(order)
            for number in order:
                status = collect(client, pids[number])
                assert output(status) == b"input %d" % number
                assert output(status, "err") == b"%d\n" % number
                assert status["exitcode"] == number
            assert len(agent.descriptors()) <= before
    finally:
        os.close(keep)


def test_many_collected_later(agent: Agent) -> None:
    """Two hundred that have long ended keep their results, and none of them stays a zombie."""
    with agent.client() as client:
        pids = [
            start(client, "/bin/sh", "-c", f"echo {number}; exit {number % 7}",
                  capture_output=True)
            for number in range(200)
        ]
        wait_until(lambda: not agent.children(), "all are reaped though nobody asked")
        for number, pid in enumerate(pids):
            status = collect(client, pid)
            assert output(status) == b"%d\n" % number
            assert status["exitcode"] == number % 7


@pytest.mark.ours
def test_uncollected_results_are_bounded(start_agent: StartAgent) -> None:
    """Two thousand that nobody collects do not exhaust the agent: it either keeps starting programs
    or says which limit is met, still reaps, and answers for the newest."""
    agent = start_agent()
    agent.may_hold_descriptors = True
    request = b'{"execute":"guest-exec","arguments":{"path":"/bin/true"}}\n'
    with agent.client(60.0) as client:
        replies = []
        for _ in range(22):
            client.send(request * 100)
            replies += [json.loads(client.line()) for _ in range(100)]
        errors = {reply["error"]["desc"] for reply in replies if "error" in reply}
        assert all(any(c.isdigit() for c in desc) or "oo many" in desc for desc in errors), errors
        wait_until(lambda: not agent.children(), "no children")
        started = [reply["return"]["pid"] for reply in replies if "return" in reply]
        assert len(started) >= 100
        assert collect(client, started[-1])["exitcode"] == 0
        assert client.call("guest-ping") == {}


def test_many_pipelined(agent: Agent) -> None:
    """Starts and questions sent in one burst are answered in order."""
    with agent.client() as client:
        one = b'{"execute":"guest-exec","arguments":{"path":"true"},"id":%d}\n'
        client.send(b"".join(one % number for number in range(50)))
        pids = []
        for number in range(50):
            reply = json.loads(client.line())
            assert reply["id"] == number
            pids.append(reply["return"]["pid"])
        for pid in pids:
            assert collect(client, pid)["exitcode"] == 0


@pytest.mark.ours
def test_programs_run_on_while_the_host_is_slow(agent: Agent, tmp_path: Path) -> None:
    """While a large reply waits for a client that does not read, programs are still drained and
    reaped: one that writes 4 MiB runs to its end."""
    mark = tmp_path / "done"
    big = tmp_path / "big"
    big.write_bytes(bytes(8 << 20))
    with agent.client(60.0) as client:
        handle = client.call("guest-file-open", path=str(big))
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        script = f"read x < {gate}; head -c 4000000 /dev/zero; touch {mark}"
        pid = start(client, "/bin/sh", "-c", script, capture_output=True)
        client.send(json.dumps({
            "execute": "guest-file-read", "arguments": {"handle": handle, "count": 8 << 20},
        }).encode())
        gate.write_bytes(b"go\n")
        wait_until(mark.exists, "the program ran to its end while nobody read the reply")
        wait_until(lambda: not agent.children(), "it was reaped meanwhile")
        assert json.loads(client.line())["return"]["count"] == 8 << 20
        assert len(output(collect(client, pid))) == 4_000_000
        client.call("guest-file-close", handle=handle)


@pytest.mark.ours
def test_starting_is_quick_while_one_floods(client: Client) -> None:
    """A program that writes without end does not keep the agent from its other work."""
    flood = start(client, "/bin/cat", "/dev/zero", capture_output=True)

    def written() -> int:
        return int(procfs.read_fields(flood, "io")["wchar"])

    wait_until(lambda: written() > 4 * CAPTURE_MAX, "it writes on beyond what is kept")
    for _ in range(20):
        began = time.monotonic()
        assert client.call("guest-ping") == {}
        assert time.monotonic() - began < 5.0
    assert output(shell(client, "echo on")) == b"on\n"
    os.kill(flood, signal.SIGKILL)
    status = collect(client, flood)
    assert status["signal"] == 9
    assert len(output(status)) == CAPTURE_MAX
    assert status["out-truncated"] is True


def test_flooded_agent_keeps_its_memory(agent: Agent) -> None:
    """20 MB of output do not go through the agent's own memory."""
    if agent.is_reference:
        pytest.skip("QEMU's own agent keeps output on its heap")
    with agent.client() as client:
        procfs.reset_peak(agent.pid)
        before = procfs.read_kib(agent.pid, "status", "RssAnon")
        shell(client, "head -c 20000000 /dev/zero")
        after = procfs.read_kib(agent.pid, "status", "RssAnon")
    assert after - before < 2048
