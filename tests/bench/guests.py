"""The measurements in guests: a VM for each agent, with the same initramfs but for the agent.

Both guests run at the same time, and are measured in turn; a guest that is not being measured
is idle. The client is the same as on this machine, at the socket that is the port's other end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from vm.rig import VM, make_initramfs

from bench.client import BUILD, HERE, PING, load
from bench.figures import VM_READ_SIZES, WRITE_SIZES, Results
from bench.local import MIB, Effort, Subject, add_times, failing_alone, rotated

GUEST_FILE = "/tmp/file"
SAMPLER = HERE.parent / "vm" / "sample-wakeups"
READ_BYTES = {"4K": 2 * MIB, "64K": 8 * MIB, "1M": 16 * MIB}
WRITE_BYTES = {"3K": 3 * MIB // 2, "48K": 6 * MIB, "768K": 12 * MIB, "3M": 12 * MIB}
# The sampler first waits, for some seconds, until the agent is quiet.
SAMPLE_MARGIN_S = 60.0
SILENT_S = "100000"


class Guest:
    """A VM with one subject as its agent."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        image = BUILD / f"{subject.name}.initramfs.gz"
        make_initramfs(image, "--port-links", "--agent-args", "-t /run",
                       "--add", f"{SAMPLER}:/bin/sample-wakeups", agent=subject.program)
        self.vm = VM(image)

    @property
    def socket(self) -> Path:
        return Path(self.vm.socket_path)

    def start_sampling(self, state: str, window_s: float) -> int:
        """Let the guest count how often the agent wakes up; the pid of the program that does."""
        sample = f"exec /bin/sample-wakeups {state} {window_s:g} $PPID"
        with self.vm.agent() as client:
            pid: int = client.call("guest-exec", path="/bin/sh", arg=["-c", sample])["pid"]
        return pid

    def wait_sample(self, state: str, window_s: float) -> int:
        """The count, which is printed on the console: asking the agent would wake it."""
        line = rf"wakeups {state} before (\d+) +after (\d+) +end"
        match = self.vm.wait_console(line, window_s + SAMPLE_MARGIN_S)
        return int(match[2]) - int(match[1])


def count_wakeups(results: Results, guests: list[Guest], state: str, effort: Effort) -> None:
    """How often each agent wakes up in a second while nothing is asked of it."""
    programs: dict[Guest, list[int]] = {guest: [] for guest in guests}
    for guest in guests:
        if state == "program":
            with guest.vm.agent() as client:
                silent = client.call(
                    "guest-exec", path="/bin/sleep", arg=[SILENT_S], capture_output=True
                )
            programs[guest].append(silent["pid"])
        programs[guest].append(guest.start_sampling(state, effort.window_s))
        if state != "disconnected":
            guest.vm.agent()
    for guest in guests:
        with failing_alone(results, f"wake-ups, {state}, of {guest.subject.name}"):
            count = guest.wait_sample(state, effort.window_s)
            results.add(f"vm-wakeups.{state}", guest.subject.name, count / effort.window_s)
    for guest, pids in programs.items():
        end_programs(guest, pids)


def end_programs(guest: Guest, pids: list[int]) -> None:
    """End what still runs and collect the results, so that the agent is as it was."""
    with guest.vm.agent() as client:
        client.run("/bin/sh", "-c", f"kill {' '.join(map(str, pids))}", capture_output=False)
        for pid in pids:
            while not client.call("guest-exec-status", pid=pid)["exited"]:
                time.sleep(0.01)


def transfer(
    results: Results, guest: Guest, effort: Effort, run: int, wanted: Callable[[str], bool]
) -> None:
    """One run of what moves over the port. The file that is read is the one written last, whose
    contents the first run checks."""
    name = guest.subject.name
    if wanted("vm-ping"):
        add_times(results, "vm-ping", name,
                  load("latency", guest.socket, effort.latencies // 5, PING))
    for size, chunk in WRITE_SIZES.items():
        if wanted(f"vm-write.{size}"):
            total = WRITE_BYTES[size] // effort.share
            numbers = load("write", guest.socket, GUEST_FILE, chunk, max(total, chunk))
            results.add(f"vm-write.{size}", name, numbers["mb_s"])
    reads = [size for size in VM_READ_SIZES if wanted(f"vm-read.{size}")]
    if reads:
        total = max(READ_BYTES.values()) // effort.share
        load("write", guest.socket, GUEST_FILE, WRITE_SIZES["48K"], total + WRITE_SIZES["48K"])
    for size in reads:
        total = READ_BYTES[size] // effort.share
        numbers = load("read", guest.socket, GUEST_FILE, VM_READ_SIZES[size], total,
                       verify=run == 0)
        results.add(f"vm-read.{size}", name, numbers["mb_s"])


def measure(
    results: Results,
    subjects: list[Subject],
    effort: Effort,
    wanted: Callable[[str], bool],
    tell: Callable[[str], None],
) -> None:
    """Every figure that is had in a VM and that is wanted."""
    with ExitStack() as stack:
        guests = []
        for subject in subjects:
            with failing_alone(results, f"VM of {subject.name}"):
                guest = Guest(subject)
                stack.enter_context(guest.vm)
                guests.append(guest)
        for state in ("disconnected", "connected", "program"):
            if wanted(f"vm-wakeups.{state}"):
                tell(f"wake-ups: {state}")
                count_wakeups(results, guests, state, effort)
        for run in range(effort.runs):
            tell(f"VM run {run + 1} of {effort.runs}")
            for guest in rotated(guests, run):
                with failing_alone(results, f"VM transfers of {guest.subject.name}"):
                    transfer(results, guest, effort, run, wanted)
