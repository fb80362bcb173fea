"""Runs a command, in the same process, where there is far too much of something:

    crowded.py mounts FOLDER COUNT LIST -- COMMAND...
        the file system of each device that the file LIST names mounted in FOLDER/first, and all of
        them again in other folders until there are COUNT mounts
    crowded.py addresses COUNT -- COMMAND...
        COUNT addresses of IPv4 and as many of IPv6, on two interfaces

All of it in namespaces of its own, so nothing is left behind.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    if result != 0:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind)]
    checked(libc.mount(*words, ctypes.c_ulong(flags), None), f"mount {source} at {target}")


def crowd_mounts(folder: Path, count: int, devices: list[str]) -> None:
    checked(libc.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("none", str(folder), "tmpfs", 0)
    first = folder / "first"
    first.mkdir()
    mount("none", str(first), "tmpfs", 0)
    for number, device in enumerate(devices):
        target = first / str(number)
        target.mkdir()
        mount(device, str(target), "ext4", 0)
    for number in range(count // (len(devices) + 1)):
        target = folder / f"again{number}"
        target.mkdir()
        mount(str(first), str(target), None, MS_BIND | MS_REC)


def crowd_addresses(count: int) -> None:
    checked(libc.unshare(CLONE_NEWNET), "unshare")
    lines = ["link add crowd0 type veth peer name crowd1"]
    for number in range(2):
        lines += [f"link set crowd{number} addrgenmode none", f"link set crowd{number} up"]
    for number in range(count):
        high, low = divmod(number, 250)
        device = f"dev crowd{number % 2}"
        lines.append(f"addr add 10.{high // 250}.{high % 250}.{low + 1}/32 {device}")
        lines.append(f"addr add 2001:db8::{number + 1:x}/128 {device} nodad")
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def main() -> None:
    at = sys.argv.index("--")
    words, command = sys.argv[1:at], sys.argv[at + 1:]
    if words[0] == "mounts":
        crowd_mounts(Path(words[1]), int(words[2]), Path(words[3]).read_text().split())
    else:
        crowd_addresses(int(words[1]))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
