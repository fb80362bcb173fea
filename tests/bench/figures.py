"""What the bench measures, of whom, and what is asked of it."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from typing import Any

OURS = "tinyqga"
PEER = "qemu-ga"
FLOOR = "floor"
SUBJECTS = (OURS, PEER, FLOOR)

READ_SIZES = {"4K": 4 << 10, "64K": 64 << 10, "1M": 1 << 20, "16M": 16 << 20}
WRITE_SIZES = {"3K": 3 << 10, "48K": 48 << 10, "768K": 768 << 10, "3M": 3 << 20}
# Commands that describe the machine, whose answers take some work.
ANSWERS = {
    "info": "guest-info",
    "osinfo": "guest-get-osinfo",
    "interfaces": "guest-network-get-interfaces",
    "fsinfo": "guest-get-fsinfo",
    "disks": "guest-get-disks",
}
VM_READ_SIZES = {name: READ_SIZES[name] for name in ("4K", "64K", "1M")}


@dataclass(frozen=True)
class Figure:
    """One number of each subject. vs_* are bounds of our number divided by another's, limit one
    of the number itself; whether the bound is the most or the least, more_is_better says."""

    name: str
    title: str
    unit: str
    more_is_better: bool = False
    vs_peer: float | None = None
    vs_floor: float | None = None
    limit: float | None = None

    def is_in(self, selection: str) -> bool:
        """Whether --only with that word means this figure: "read", "read.64K", "vm"."""
        return self.name == selection or self.name.startswith((selection + ".", selection + "-"))


def _transfers(group: str, title: str, sizes: dict[str, int],
               targets: dict[str, float]) -> list[Figure]:
    return [
        Figure(f"{group}.{size}", f"{title}, {size[:-1]} {size[-1]}iB a request", "MB/s",
               more_is_better=True, vs_peer=targets.get(size))
        for size in sizes
    ]


def _answers() -> list[Figure]:
    return [
        Figure(f"{name}.{part}", f"{command} on one processor, {title}", "µs",
               vs_peer=1.0 if part == "p50" and name != "info" else None)
        for name, command in ANSWERS.items()
        for part, title in (("p50", "median"), ("p99", "99th percentile"))
    ]


FIGURES = [
    Figure("size.file", "file", "bytes", limit=64 << 10),
    Figure("size.libraries", "libraries it needs", "bytes"),
    Figure("start", "start to first pong", "µs", vs_peer=0.25),
    Figure("memory.idle", "private memory, idle", "KiB", limit=64),
    Figure("memory.idle-after", "… idle after the transfers", "KiB", limit=64),
    Figure("memory.peak-read", "… peak in file-read and exec", "KiB", limit=1023),
    Figure("memory.peak-write", "… peak in file-write", "KiB", limit=8191),
    Figure("ping.p50", "guest-ping on one processor, median", "µs", vs_peer=1.0, vs_floor=1.5),
    Figure("ping.p99", "guest-ping on one processor, 99th percentile", "µs"),
    Figure("ping-free.p50", "guest-ping anywhere, median", "µs"),
    Figure("ping-free.p99", "guest-ping anywhere, 99th percentile", "µs"),
    *_answers(),
    Figure("exec.p50", "guest-exec until exited, median", "µs", vs_peer=0.7),
    Figure("exec.p99", "guest-exec until exited, 99th percentile", "µs"),
    Figure("output", "8 MB of captured output", "ms", vs_peer=0.4),
    *_transfers("read", "file-read", READ_SIZES, {"64K": 3, "1M": 4.5, "16M": 4.5}),
    *_transfers("write", "file-write", WRITE_SIZES, {"48K": 10, "768K": 15, "3M": 15}),
    Figure("vm-wakeups.disconnected", "VM: wake-ups, host disconnected", "/s", limit=0),
    Figure("vm-wakeups.connected", "VM: wake-ups, connected and silent", "/s", limit=0),
    Figure("vm-wakeups.program", "VM: wake-ups, a silent program running", "/s", limit=0),
    Figure("vm-ping.p50", "VM: guest-ping, median", "µs", vs_peer=1.0),
    Figure("vm-ping.p99", "VM: guest-ping, 99th percentile", "µs"),
    *_transfers("vm-read", "VM: file-read", VM_READ_SIZES, {"1M": 5}),
    *_transfers("vm-write", "VM: file-write", WRITE_SIZES, {"768K": 12}),
]
BY_NAME = {figure.name: figure for figure in FIGURES}
GROUPS = list(dict.fromkeys(figure.name.split(".")[0] for figure in FIGURES))


@dataclass
class Results:
    """Every number that was measured, and what it was measured on."""

    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, subject: str, number: float) -> None:
        if name not in BY_NAME:
            raise KeyError(name)
        self.numbers.setdefault(name, {}).setdefault(subject, []).append(number)

    def median(self, figure: Figure, subject: str) -> float | None:
        numbers = self.numbers.get(figure.name, {}).get(subject)
        return statistics.median(numbers) if numbers else None

    def ratio(self, figure: Figure, other: str) -> float | None:
        """Our median divided by another subject's."""
        mine, theirs = self.median(figure, OURS), self.median(figure, other)
        return mine / theirs if mine is not None and theirs else None

    def verdicts(self, figure: Figure) -> list[tuple[str, bool | None]]:
        """Each target of a figure as a person writes it, and whether it is met, if that is known.

        Something that must not exceed zero is met if it rounds to zero.
        """
        sign = "≥" if figure.more_is_better else "≤"
        targets = (
            (figure.vs_peer, self.ratio(figure, PEER), f" × {PEER}"),
            (figure.vs_floor, self.ratio(figure, FLOOR), f" × {FLOOR}"),
            (figure.limit, self.median(figure, OURS), f" {figure.unit}"),
        )
        found: list[tuple[str, bool | None]] = []
        for bound, value, what in targets:
            if bound is None:
                continue
            met = None
            if value is not None:
                met = value >= bound if figure.more_is_better else value <= bound
            found.append((f"{sign} {bound:,g}{what}", met))
        return found

    def to_json(self) -> str:
        figures = []
        for figure in FIGURES:
            if figure.name not in self.numbers:
                continue
            row: dict[str, Any] = {
                "name": figure.name,
                "title": figure.title,
                "unit": figure.unit,
                "more-is-better": figure.more_is_better,
            }
            for subject in SUBJECTS:
                if subject in self.numbers[figure.name]:
                    row[subject] = {
                        "median": self.median(figure, subject),
                        "runs": self.numbers[figure.name][subject],
                    }
            row["targets"] = [
                {"target": text, "met": met} for text, met in self.verdicts(figure)
            ]
            figures.append(row)
        whole = {
            "machine": self.machine,
            "versions": self.versions,
            "figures": figures,
            "failures": self.failures,
        }
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
