"""Where our replies may differ from those of QEMU's agent 7.2, and why: all of it, in one table.

Two tests read it, tests/wire/test_peer.py on this machine and tests/vm/test_peer.py in a guest. A
path is the question's name and the way into its reply; rows of a list are named by what identifies
them, `*` is any text without brackets. What is not here is a mistake of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

MISSING, EXTRA, TYPE, VALUE, ORDER = "missing", "extra", "type", "value", "order"
GUEST, MACHINE = "guest", "machine"


@dataclass(frozen=True)
class Difference:
    """path: in the reply. kind: MISSING and EXTRA are of members and rows, as ours has them."""

    path: str
    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.kind}{f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True)
class Listed:
    """A difference that is meant. occurs: the tests in which it must show, or it is out of date.
    places: the tests in which it may. detail: how its detail ends."""

    path: str
    kinds: str
    reason: str
    occurs: tuple[str, ...] = ()
    places: tuple[str, ...] = (GUEST, MACHINE)
    detail: str = ""

    def covers(self, difference: Difference) -> bool:
        pattern = re.escape(self.path).replace(r"\*", r"[^][]*")
        return (
            difference.kind in self.kinds.split()
            and difference.detail.endswith(self.detail)
            and bool(re.fullmatch(pattern, difference.path))
        )


EVERYWHERE = (GUEST, MACHINE)
NO_MEANING = "the order says nothing: the peer's is that in which the kernel keeps its folders"
# fmt: off
LISTED = (
    Listed("info.version", VALUE, "names the release whose commands we have", EVERYWHERE),
    Listed("info.supported_commands", ORDER, "the order says nothing", EVERYWHERE),
    Listed("info.supported_commands[tinyqga-*]", EXTRA, "commands of our own", EVERYWHERE),
    Listed("info.supported_commands[guest-get-load]", EXTRA, "newer than 7.2", EVERYWHERE),
    Listed("info.supported_commands[guest-network-get-route]", EXTRA, "newer than 7.2", EVERYWHERE),
    Listed("info.supported_commands[guest-set-watchdog-timeout]", EXTRA, "no QEMU's", EVERYWHERE),
    Listed("info.supported_commands[guest-get-devices]", MISSING, "for Windows alone", EVERYWHERE),
    Listed("get-fsinfo[*].total-bytes-privileged", EXTRA, "newer than 7.2", EVERYWHERE),
    Listed("get-fsinfo[*].disk", ORDER, NO_MEANING),
    # Of the guest's udev both have the same.
    Listed("get-disks[*].address.serial", EXTRA, "ours: also without udev", places=(MACHINE,)),
    Listed("get-fsinfo[*].disk[*].serial", EXTRA, "ours: also without udev", places=(MACHINE,)),
    Listed("get-disks", ORDER, NO_MEANING, (GUEST,)),
    Listed("get-disks[*].dependencies", ORDER, NO_MEANING),
    Listed(
        "get-disks[/dev/sd*].address.bus-type", VALUE, "newer than 7.2", (GUEST,),
        detail="'usb', not 'unknown'",
    ),
    Listed(
        "get-disks[/dev/sd*].address.pci-controller.*", VALUE, "newer than 7.2: usb", (GUEST,),
        detail=", not -1",
    ),
    Listed("get-vcpus", ORDER, NO_MEANING),
    Listed("get-memory-blocks", ORDER, NO_MEANING),
    Listed("network-get-interfaces", ORDER, "the peer has further names of one at the end"),
    Listed("network-get-interfaces[*].statistics", EXTRA, "ours: always", (GUEST,)),
    Listed("keys of alice.keys", ORDER, "as in the file; the peer turns it round", (GUEST,)),
    Listed("keys of *.error.desc", VALUE, "after the colon stand the peer's library's words"),
    # lseek has no end of a file in /proc. The peer's library takes the size, 0, for it.
    Listed("read /proc/version.4.*", f"{MISSING} {EXTRA}", "the kernel's own error", EVERYWHERE),
    Listed("read /proc/version.5.buf-b64", VALUE, "as the seek before it failed", EVERYWHERE),
)
# fmt: on


def first_mounts(rows: Any) -> Any:
    """The peer's filesystems as newer releases have them: 7.2 has a row for each mount, the last
    one first."""
    found: dict[str, Any] = {}
    for row in reversed(rows):
        found.setdefault(row["name"], row)
    return list(found.values())


def unlisted(differences: list[Difference], place: str) -> list[Difference]:
    """Those that the table does not name."""
    rows = [row for row in LISTED if place in row.places]
    return [one for one in differences if not any(row.covers(one) for row in rows)]


def outdated(differences: list[Difference], place: str) -> list[Listed]:
    """The rows that must have shown in this place, and have not."""
    rows = [row for row in LISTED if place in row.occurs]
    return [row for row in rows if not any(row.covers(one) for one in differences)]
