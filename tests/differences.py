"""Where our replies may differ from those of QEMU's agent 7.2, and why: all of it, in one table.

Two tests read it, tests/wire/test_peer.py on this machine and tests/vm/test_peer.py in a guest. A
path is the question's name and the way into its reply; rows of a list are named by what identifies
them, `*` is any text. What is not here is a mistake of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    """A difference that is meant. occurs: the tests in which it must show, or it is out of date."""

    path: str
    kinds: str
    reason: str
    occurs: tuple[str, ...] = ()

    def covers(self, difference: Difference) -> bool:
        pattern = re.escape(self.path).replace(r"\*", ".*")
        return difference.kind in self.kinds.split() and bool(
            re.fullmatch(pattern, difference.path)
        )


EVERYWHERE = (GUEST, MACHINE)
LISTED = (
    Listed("info.version", VALUE, "names the release whose commands we have", EVERYWHERE),
    Listed("info.supported_commands", ORDER, "the order has no meaning", EVERYWHERE),
    Listed("info.supported_commands[tinyqga-*]", EXTRA, "commands of our own", EVERYWHERE),
)


def unlisted(differences: list[Difference]) -> list[Difference]:
    """Those that the table does not name."""
    return [one for one in differences if not any(row.covers(one) for row in LISTED)]


def outdated(differences: list[Difference], place: str) -> list[Listed]:
    """The rows that must have shown in this place, and have not."""
    return [
        row for row in LISTED
        if place in row.occurs and not any(row.covers(one) for one in differences)
    ]
