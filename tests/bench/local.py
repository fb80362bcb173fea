"""The measurements on this machine, over unix sockets.

In every run each figure is measured of all subjects in turn before the next figure is, and each
run begins with another subject, so that whatever else the machine does meets all of them alike.

The latencies of guest-ping and of the answers are had with the client and the subject on one
processor: left alone, the scheduler puts them on one or on two as it likes, which changes the
figure by a factor of four and says nothing about the subject (ping-free shows it). For all other
figures nobody is pinned to a processor.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from procfs import read_fields, read_kib
from qga import AgentError
from vm.rig import VMError

from bench.client import PING, MeasureError, command, load
from bench.figures import ANSWERS, FLOOR, OURS, PEER, READ_SIZES, WRITE_SIZES, Results

T = TypeVar("T")
MIB = 1 << 20
OUTPUT_BYTES = 8_000_000
FILE_BYTES = 64 * MIB
# The largest write that every agent must take, in one request.
WRITE_MAX = 4 * MIB
SAMPLE_PAUSE_S = 0.0005
# For an agent to give memory back after its last reply.
SETTLE_S = 0.3
START_LIMIT_S = 10.0


@dataclass(frozen=True)
class Effort:
    """How much is done for one number."""

    runs: int
    latencies: int
    programs: int
    starts: int
    share: int  # transfers move the share-th part of the usual bytes
    window_s: float  # in which wake-ups are counted


FULL = Effort(runs=5, latencies=5000, programs=200, starts=20, share=1, window_s=10)
QUICK = Effort(runs=1, latencies=1000, programs=50, starts=5, share=4, window_s=4)


@dataclass(frozen=True)
class Subject:
    """Somebody to measure; {socket} and {state} in the command are filled in."""

    name: str
    program: Path
    arguments: tuple[str, ...] = ("-m", "unix-listen", "-p", "{socket}", "-t", "{state}")

    def command(self, folder: Path) -> list[str]:
        state = folder / "state"
        state.mkdir(exist_ok=True)
        paths = {"socket": socket_of(folder), "state": state}
        return [str(self.program), *(word.format(**paths) for word in self.arguments)]


def socket_of(folder: Path) -> Path:
    return folder / "socket"


class Server:
    """A subject that runs, in a folder of its own in memory."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.folder = new_folder()
        self.socket = socket_of(self.folder)
        self.process = subprocess.Popen(
            subject.command(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Server:
        deadline = time.monotonic() + START_LIMIT_S
        while not self.socket.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise MeasureError(f"{self.subject.program} does not listen")
            time.sleep(0.01)
        load("latency", self.socket, 1, PING)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def new_folder() -> Path:
    """A folder on a file system in memory, if there is one."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="bench-", dir=memory if memory.is_dir() else None))


@contextmanager
def failing_alone(results: Results, what: str) -> Iterator[None]:
    """Note a measurement that failed, and go on with the next."""
    try:
        yield
    except (MeasureError, VMError, AgentError, OSError, subprocess.TimeoutExpired) as error:
        results.failures.append(f"{what}: {error}".splitlines()[0])


def measure_size(results: Results, subject: Subject) -> None:
    """The file, and what the dynamic linker adds to it."""
    listed = subprocess.run(["ldd", str(subject.program)], capture_output=True, text=True)
    words = listed.stdout.split() if listed.returncode == 0 else []
    libraries = [Path(word).resolve() for word in words if word.startswith("/")]
    results.add("size.file", subject.name, subject.program.resolve().stat().st_size)
    results.add("size.libraries", subject.name, sum(path.stat().st_size for path in libraries))


def measure_start(results: Results, subject: Subject, effort: Effort) -> None:
    """From before the fork until the first pong is read, which includes the exec."""
    folder = new_folder()
    try:
        numbers = load("start", socket_of(folder), effort.starts, *subject.command(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results.add("start", subject.name, numbers["p50_us"])


def private_kib(pid: int) -> int:
    """The memory that belongs to the process alone."""
    fields = read_fields(pid, "smaps_rollup")
    return sum(int(fields[key].split()[0]) for key in ("Private_Clean", "Private_Dirty"))


def peak_during(server: Server, commands: list[list[str]]) -> float:
    """The most private memory, in KiB, that the agent had while the commands ran.

    The larger of two: the most that smaps_rollup said, asked every half millisecond, and the
    kernel's own high-water mark of the resident memory (VmHWM) without the pages that are
    shared with others, which misses no spike but also counts a few pages in batches. A program
    that the agent starts is not counted, nor is a file in memory that the agent has not mapped.
    """
    pid = server.process.pid
    most = private_kib(pid)
    for words in commands:
        with subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as running:
            while running.poll() is None:
                most = max(most, private_kib(pid))
                time.sleep(SAMPLE_PAUSE_S)
            if running.returncode:
                message = running.stderr.read() if running.stderr else ""
                raise MeasureError(f"{words[1]}: {message.strip()}")
    shared = read_kib(pid, "smaps_rollup", "Rss") - private_kib(pid)
    return max(most, read_kib(pid, "status", "VmHWM") - shared)


def measure_memory(results: Results, subject: Subject, effort: Effort, file: Path) -> None:
    """Private_Clean and Private_Dirty of smaps_rollup. Reads and writes are each done by a fresh
    process, so that neither hides the peak of the other."""
    size = FILE_BYTES // effort.share
    after = []
    with Server(subject) as server:
        time.sleep(SETTLE_S)
        results.add("memory.idle", subject.name, private_kib(server.process.pid))
        commands = [command("read", server.socket, file, chunk, size)
                    for chunk in READ_SIZES.values()]
        commands.append(command("exec", server.socket, effort.programs, "/bin/true"))
        commands += [command("output", server.socket, OUTPUT_BYTES, head())] * 5
        results.add("memory.peak-read", subject.name, peak_during(server, commands))
        time.sleep(SETTLE_S)
        after.append(private_kib(server.process.pid))
    with Server(subject) as server:
        target = server.folder / "written"
        commands = [command("write", server.socket, target, chunk, size // 4)
                    for chunk in (*WRITE_SIZES.values(), WRITE_MAX)]
        results.add("memory.peak-write", subject.name, peak_during(server, commands))
        time.sleep(SETTLE_S)
        after.append(private_kib(server.process.pid))
    results.add("memory.idle-after", subject.name, max(after))


@contextmanager
def on_one_processor(server: Server) -> Iterator[None]:
    """Keep the server and every client that is started meanwhile on the same processor."""
    allowed = os.sched_getaffinity(0)
    for pid in (0, server.process.pid):
        os.sched_setaffinity(pid, {max(allowed)})
    try:
        yield
    finally:
        for pid in (0, server.process.pid):
            os.sched_setaffinity(pid, allowed)


def head() -> str:
    return shutil.which("head") or "/usr/bin/head"


def add_times(results: Results, group: str, subject: str, numbers: dict[str, float]) -> None:
    results.add(f"{group}.p50", subject, numbers["p50_us"])
    results.add(f"{group}.p99", subject, numbers["p99_us"])


class Session:
    """The figures that one process of each subject can give, one after the other."""

    def __init__(self, results: Results, effort: Effort, file: Path) -> None:
        self.results = results
        self.effort = effort
        self.file = file

    def ping(self, server: Server, _verify: bool) -> None:
        with on_one_processor(server):
            numbers = load("latency", server.socket, self.effort.latencies, PING)
        add_times(self.results, "ping", server.subject.name, numbers)

    def ping_free(self, server: Server, _verify: bool) -> None:
        numbers = load("latency", server.socket, self.effort.latencies, PING)
        add_times(self.results, "ping-free", server.subject.name, numbers)

    def answer(self, name: str) -> Callable[[Server, bool], None]:
        request = f'{{"execute": "{ANSWERS[name]}"}}'

        def measure(server: Server, _verify: bool) -> None:
            if server.subject.name == FLOOR:
                return
            with on_one_processor(server):
                numbers = load("latency", server.socket, self.effort.latencies // 5, request)
            add_times(self.results, name, server.subject.name, numbers)

        return measure

    def exec(self, server: Server, _verify: bool) -> None:
        """The floor is vfork, exec and wait, without any agent."""
        if server.subject.name == FLOOR:
            numbers = load("spawn", self.effort.programs, "/bin/true")
        else:
            numbers = load("exec", server.socket, self.effort.programs, "/bin/true")
        add_times(self.results, "exec", server.subject.name, numbers)

    def output(self, server: Server, verify: bool) -> None:
        if server.subject.name != FLOOR:
            numbers = load("output", server.socket, OUTPUT_BYTES, head(), verify=verify)
            self.results.add("output", server.subject.name, numbers["ms"])

    def read(self, name: str) -> Callable[[Server, bool], None]:
        chunk = READ_SIZES[name]
        size = (FILE_BYTES if chunk >= READ_SIZES["64K"] else FILE_BYTES // 4) // self.effort.share

        def measure(server: Server, verify: bool) -> None:
            numbers = load("read", server.socket, self.file, chunk, size,
                           verify=verify and server.subject.name != FLOOR)
            self.results.add(f"read.{name}", server.subject.name, numbers["mb_s"])

        return measure

    def write(self, name: str) -> Callable[[Server, bool], None]:
        chunk = WRITE_SIZES[name]
        size = (48 * MIB if chunk >= WRITE_SIZES["48K"] else 12 * MIB) // self.effort.share

        def measure(server: Server, verify: bool) -> None:
            numbers = load("write", server.socket, server.folder / "written", chunk, size,
                           verify=verify and server.subject.name != FLOOR)
            self.results.add(f"write.{name}", server.subject.name, numbers["mb_s"])

        return measure

    def steps(self) -> dict[str, Callable[[Server, bool], None]]:
        return {
            "ping": self.ping,
            "ping-free": self.ping_free,
            **{name: self.answer(name) for name in ANSWERS},
            "exec": self.exec,
            "output": self.output,
            **{f"read.{name}": self.read(name) for name in READ_SIZES},
            **{f"write.{name}": self.write(name) for name in WRITE_SIZES},
        }


def rotated(things: list[T], run: int) -> list[T]:
    """The same things, in each run beginning with another."""
    at = run % len(things) if things else 0
    return things[at:] + things[:at]


def measure(
    results: Results,
    subjects: list[Subject],
    effort: Effort,
    wanted: Callable[[str], bool],
    tell: Callable[[str], None],
) -> None:
    """Every local figure that is wanted, effort.runs times of each subject. The first run also
    checks the contents of what was transferred, outside of the time measured."""
    agents = [subject for subject in subjects if subject.name in (OURS, PEER)]
    folder = new_folder()
    file = folder / "file"
    try:
        load("make", file, FILE_BYTES)
        session = Session(results, effort, file)
        steps = {name: step for name, step in session.steps().items() if wanted(name)}
        if wanted("size"):
            for subject in subjects:
                measure_size(results, subject)
        for run in range(effort.runs):
            tell(f"run {run + 1} of {effort.runs}")
            for subject in rotated(subjects, run) if wanted("start") else []:
                with failing_alone(results, f"start of {subject.name}"):
                    measure_start(results, subject, effort)
            for subject in rotated(agents, run) if wanted("memory") else []:
                with failing_alone(results, f"memory of {subject.name}"):
                    measure_memory(results, subject, effort, file)
            if steps:
                measure_sessions(results, rotated(subjects, run), steps, verify=run == 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure_sessions(
    results: Results,
    subjects: list[Subject],
    steps: dict[str, Callable[[Server, bool], None]],
    verify: bool,
) -> None:
    """One run of the steps, each of every subject before the next."""
    with ExitStack() as stack:
        servers = []
        for subject in subjects:
            with failing_alone(results, f"start of {subject.name}"):
                servers.append(stack.enter_context(Server(subject)))
        for name, step in steps.items():
            for server in servers:
                with failing_alone(results, f"{name} of {server.subject.name}"):
                    step(server, verify)
