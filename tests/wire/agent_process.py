"""An agent under test: its process, its socket, and what must hold of it after every test."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qga import Client

# A loaded machine and a sanitizer build are slow; a test that waits this long has found a hang.
PATIENCE_S = 20.0
# The room for a path in struct sockaddr_un, without its terminating NUL.
SOCKET_PATH_MAX = 107
SANITIZER_REPORT = re.compile(
    r"(Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer|runtime error:"
)
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:handle_abort=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
    """Look again and again, ever more slowly, until condition() holds; fail when it never does."""
    deadline = time.monotonic() + limit_s
    pause_s = 0.0005
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {limit_s} s still not: {what}")
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)


def new_folder() -> Path:
    """A fresh folder with a name that is short enough for a socket inside it."""
    return Path(tempfile.mkdtemp(prefix="wire-", dir="/tmp"))


class Agent:
    """One agent process that listens on a unix socket.

    folder holds its socket, state folder, pid file and stderr. args follow the usual ones
    (-m unix-listen -p SOCKET -t STATE -f PIDFILE), or are all there is when bare is true.
    wrapper is a command that execs what follows it.
    """

    def __init__(
        self,
        program: Path,
        *args: str,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        bare: bool = False,
        wrapper: Sequence[str] = (),
        wait: bool = True,
    ) -> None:
        self.program = program
        self.owns_folder = folder is None
        self.folder = new_folder() if folder is None else folder
        self.path = str(self.folder / "sock")
        assert len(os.fsencode(self.path)) <= SOCKET_PATH_MAX, self.path
        self.state_dir = self.folder / "state"
        self.state_dir.mkdir(exist_ok=True)
        self.pid_file = self.folder / "pid"
        self.log_file = self.folder / "stderr"
        self.clients: list[Client] = []
        # For tests that leave files, programs or results in the agent on purpose.
        self.may_hold_descriptors = False
        self.stopped: int | None = None
        self.descriptors_at_start: dict[str, str] | None = None
        self.argv = [*wrapper, str(program)]
        if not bare:
            self.argv += ["-m", "unix-listen", "-p", self.path]
            self.argv += ["-t", str(self.state_dir), "-f", str(self.pid_file)]
        self.argv += args
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**SANITIZER_OPTIONS, **(os.environ if env is None else env)},
                cwd=cwd,
            )
        if wait:
            self.wait_until_it_answers()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """What the agent has written to stdout and stderr."""
        return self.log_file.read_text(errors="replace")

    @property
    def is_reference(self) -> bool:
        """Whether this is QEMU's own agent."""
        return self.program.name == "qemu-ga"

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait_until_it_answers(self) -> None:
        """Connect, as often as it takes, sync, and remember the descriptors that are normal."""

        def answers() -> bool:
            assert self.is_alive, f"ended with {self.process.returncode}; stderr:\n{self.log}"
            try:
                client = Client(self.path, PATIENCE_S)
            except (FileNotFoundError, ConnectionError):
                return False
            with client:
                self.descriptors_at_start = self.descriptors()
            return True

        wait_until(answers, f"{self.argv} answers")

    def client(self, timeout_s: float = PATIENCE_S, sync: bool = True) -> Client:
        """A connection, closed at the latest when the test ends. The agent serves one at a time."""
        client = Client(self.path, timeout_s, sync)
        self.clients.append(client)
        return client

    def close_clients(self) -> None:
        while self.clients:
            self.clients.pop().close()

    def descriptors(self) -> dict[str, str]:
        """The agent's open descriptors: number → what it is."""
        folder = f"/proc/{self.pid}/fd"
        found = {}
        for name in os.listdir(folder):
            try:
                found[name] = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue
        return found

    def children(self) -> dict[int, str]:
        """The agent's children: pid → state letter (Z is a zombie)."""
        found = {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                stat = Path(f"/proc/{name}/stat").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            if int(parent) == self.pid:
                found[int(name)] = state
        return found

    def private_memory_kib(self) -> int:
        """Private_Clean + Private_Dirty of the agent."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return sum(int(n) for n in re.findall(r"^Private_(?:Clean|Dirty): +(\d+)", text, re.M))

    def check_quick(self) -> None:
        """It is alive and no sanitizer has complained."""
        assert not SANITIZER_REPORT.search(self.log), self.log
        assert self.stopped is not None or self.is_alive, (
            f"ended with {self.process.returncode}; stderr:\n{self.log}"
        )

    def check(self) -> None:
        """All that holds of an agent after a test: check_quick, no zombie, no descriptor left."""
        self.check_quick()
        if self.stopped is not None:
            return
        wait_until(lambda: "Z" not in self.children().values(), "no zombies", 5.0)
        if self.descriptors_at_start is None or self.may_hold_descriptors or self.is_reference:
            return
        self.close_clients()
        normal = len(self.descriptors_at_start)
        # As at the start, counted with one client connected.
        with Client(self.path, PATIENCE_S):
            try:
                wait_until(lambda: len(self.descriptors()) <= normal, "descriptors closed", 5.0)
            except AssertionError as error:
                raise AssertionError(
                    f"descriptors leaked: {self.descriptors_at_start} → {self.descriptors()}"
                ) from error

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """End it by a signal. Returns its exit status, or minus the signal that ended it."""
        if self.stopped is None:
            self.process.send_signal(sig)
            self.stopped = self.process.wait(PATIENCE_S)
        return self.stopped

    def dispose(self) -> None:
        """End it however it takes, remove its folder, and look at its last words."""
        self.close_clients()
        try:
            if self.is_alive and self.is_reference:
                # Its signal handler now and then comes too early for its main loop.
                self.process.kill()
                self.process.wait()
            elif self.is_alive:
                self.process.terminate()
                try:
                    self.process.wait(PATIENCE_S)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
                    raise AssertionError(f"SIGTERM did not end it; stderr:\n{self.log}") from None
            assert not SANITIZER_REPORT.search(self.log), self.log
        finally:
            if self.owns_folder:
                shutil.rmtree(self.folder, ignore_errors=True)
