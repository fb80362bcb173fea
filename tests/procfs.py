"""What /proc says of a process: its descriptors' flags and its memory."""

from __future__ import annotations

import os
from pathlib import Path


def read_fields(pid: int, name: str) -> dict[str, str]:
    """The `Key: value` lines of /proc/PID/NAME (status, smaps_rollup, fdinfo/3)."""
    fields: dict[str, str] = {}
    for line in Path(f"/proc/{pid}/{name}").read_text(errors="replace").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields[key] = value.strip()
    return fields


def read_kib(pid: int, name: str, key: str) -> int:
    """A field such as `VmHWM: 1234 kB`, in KiB."""
    return int(read_fields(pid, name)[key].split()[0])


def reset_peak(pid: int) -> None:
    """Let the peak of the resident memory (VmHWM) start again from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def descriptor_flags(pid: int, target: str) -> int:
    """The open flags of the one descriptor that leads to a path, close-on-exec among them."""
    matches = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{name}") == target:
                matches.append(name)
        except FileNotFoundError:
            continue
    assert len(matches) == 1, f"{len(matches)} descriptors of {pid} lead to {target}"
    return int(read_fields(pid, f"fdinfo/{matches[0]}")["flags"], 8)
