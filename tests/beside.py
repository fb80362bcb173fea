"""Our agent beside QEMU's: the same questions to both, and where their replies differ.

What moves by itself, a counter or the time, is asked of the peer before and after ours, which must
lie between. A difference counts only if it is there each time of several.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from differences import (
    EXTRA, MISSING, ORDER, TYPE, VALUE, Difference, first_mounts, outdated, unlisted,
)  # fmt: skip
from qga import AgentError, Client

TRIES = 6
# What identifies a row of a list, in the order in which it is looked for.
KEYS = ("mountpoint", "name", "logical-id", "phys-index", "cpu", "user", "ip-address", "dev")


@dataclass(frozen=True)
class Question:
    """needs: the command without which it cannot be asked. renew: what newer releases of the peer
    would reply, of its reply."""

    needs: str
    ask: Callable[[Client], Any]
    renew: Callable[[Any], Any] | None = None


def reply(client: Client, command: str, **arguments: Any) -> Any:
    """What an agent returns, or its error as an object."""
    try:
        return client.call(command, **arguments)
    except AgentError as error:
        return {"error": {"class": error.error_class, "desc": error.desc}}


# ---- Comparing two values ----


def row_names(rows: list[Any]) -> list[str]:
    """A name for each row of a list: of two with the same, the second is NAME#2."""
    names: list[str] = []
    for index, row in enumerate(rows):
        key = next((key for key in KEYS if isinstance(row, dict) and key in row), None)
        name = stem = str(row[key]) if key else str(index)
        number = 1
        while name in names:
            number += 1
            name = f"{stem}#{number}"
        names.append(name)
    return names


def compare(path: str, before: Any, ours: Any, after: Any) -> list[Difference]:
    """Where ours is not what the peer said before and after it."""
    if type(ours) is not type(before):
        return [Difference(path, TYPE, f"{ours!r}, not {before!r}")]
    if type(after) is not type(before):
        after = before
    if isinstance(before, dict):
        return compare_members(f"{path}.", "", before, ours, after)
    if isinstance(before, list) and any(isinstance(row, dict) for row in before + ours):
        return compare_rows(path, before, ours, after)
    if isinstance(before, list) and sorted(before) == sorted(ours) and ours not in (before, after):
        return [Difference(path, ORDER, f"{ours}, not {before}")]
    if isinstance(before, (int, float)) and not isinstance(before, bool):
        same = min(before, after) <= ours <= max(before, after)
    else:
        same = ours in (before, after)
    return [] if same else [Difference(path, VALUE, f"{ours!r}, not {before!r}")]


def compare_members(
    head: str, tail: str, before: dict[str, Any], ours: dict[str, Any], after: dict[str, Any]
) -> list[Difference]:
    found = []
    for name in [*before, *(name for name in ours if name not in before)]:
        at = f"{head}{name}{tail}"
        if name not in ours:
            found.append(Difference(at, MISSING, repr(before[name])))
        elif name not in before:
            found.append(Difference(at, EXTRA, repr(ours[name])))
        else:
            found += compare(at, before[name], ours[name], after.get(name, before[name]))
    return found


def compare_rows(
    path: str, before: list[Any], ours: list[Any], after: list[Any]
) -> list[Difference]:
    names = [row_names(rows) for rows in (before, ours, after)]
    named = [dict(zip(*pair)) for pair in zip(names, (before, ours, after))]
    found = compare_members(f"{path}[", "]", *named)
    common = [[name for name in one if name in other]
              for one, other in (names[:2], names[1::-1])]
    if common[0] != common[1]:
        found.append(Difference(path, ORDER, f"{common[1]}, not {common[0]}"))
    return found


# ---- Questions ----


def command(name: str, **arguments: Any) -> Question:
    return Question(name, lambda client: reply(client, name, **arguments))


def read_file(path: str) -> Question:
    """Read a file from its start, from the middle and at its end."""

    def read(client: Client) -> Any:
        handle = reply(client, "guest-file-open", path=path)
        if isinstance(handle, dict):
            return handle
        replies = [
            reply(client, "guest-file-read", handle=handle, count=20),
            reply(client, "guest-file-read", handle=handle),
            reply(client, "guest-file-seek", handle=handle, offset=5, whence="set"),
            reply(client, "guest-file-read", handle=handle, count=7),
            reply(client, "guest-file-seek", handle=handle, offset=0, whence=2),
            reply(client, "guest-file-read", handle=handle, count=1),
            reply(client, "guest-file-read", handle=handle, count=0),
            reply(client, "guest-file-read", handle=handle, count=-1),
            reply(client, "guest-file-flush", handle=handle),
            reply(client, "guest-file-close", handle=handle),
        ]
        return {f"{number}": one for number, one in enumerate(replies)}

    return Question("guest-file-read", read)


def write_file(path: str) -> Question:
    """Write a new file, append to it, and read it back."""

    def write(client: Client) -> Any:
        replies = []
        for mode in ("w", "a+"):
            handle = reply(client, "guest-file-open", path=path, mode=mode)
            text = base64.b64encode(b"some text\n").decode()
            words = {"handle": handle, "buf_b64": text}
            counts: tuple[dict[str, int], ...] = ({}, {"count": 4}, {"count": 99})
            for more in counts:
                replies.append(reply(client, "guest-file-write", **words, **more))
            replies.append(reply(client, "guest-file-seek", handle=handle, offset=2, whence="set"))
            replies.append(reply(client, "guest-file-read", handle=handle))
            replies.append(reply(client, "guest-file-close", handle=handle))
        return {f"{number}": one for number, one in enumerate(replies)}

    return Question("guest-file-write", write)


def run(path: str, *arg: str, **more: Any) -> Question:
    """A program's whole result."""

    def wait(client: Client) -> Any:
        try:
            result = client.run(path, *arg, **more)
        except AgentError as error:
            return {"error": {"class": error.error_class, "desc": error.desc}}
        return {name: value.decode() if isinstance(value, bytes) else value
                for name, value in result.items()}

    return Question("guest-exec", wait)


QUESTIONS: dict[str, Question] = {
    name: command(f"guest-{name}")
    for name in (
        "info", "get-disks", "get-diskstats", "fsfreeze-status", "get-vcpus",
        "get-cpustats", "get-memory-blocks", "get-memory-block-info", "network-get-interfaces",
        "get-osinfo", "get-host-name", "get-time", "get-timezone", "get-users",
    )
} | {
    "get-fsinfo": replace(command("guest-get-fsinfo"), renew=first_mounts),
    "keys of root": command("guest-ssh-get-authorized-keys", username="root"),
    "keys of alice": command("guest-ssh-get-authorized-keys", username="alice"),
    "keys of nobody-there": command("guest-ssh-get-authorized-keys", username="nobody-there"),
    "read /etc/os-release": read_file("/etc/os-release"),
    "read /proc/version": read_file("/proc/version"),
    "read /sys/kernel/mm/transparent_hugepage/enabled": read_file(
        "/sys/kernel/mm/transparent_hugepage/enabled"
    ),
    "read /dev/null": read_file("/dev/null"),
    "read a folder": read_file("/etc"),
    "read nothing": read_file("/no/such/file"),
    "write": write_file("/tmp/beside"),
    "write in no folder": command("guest-file-open", path="/no/such/file", mode="w"),
    "run true": run("/bin/true"),
    "run with output": run("/bin/sh", "-c", "echo out; echo err >&2; exit 3"),
    "run without capture": run("/bin/sh", "-c", "echo out", capture_output=False),
    "run killed": run("/bin/sh", "-c", "kill -9 $$"),
    "run with input": run("cat", input_data=base64.b64encode(b"text\0").decode()),
    "run with environment": run("/usr/bin/env", env=["A=1", "B=two words"]),
    "run by name": run("basename", "/a/b"),
    "run nothing": run("/no/such/program"),
    "run a folder": run("/etc"),
}  # fmt: skip


class Beside:
    """A connection to each of the two agents, and what was found of them so far."""

    def __init__(self, ours: Client, peer: Client, place: str) -> None:
        self.ours = ours
        self.peer = peer
        self.place = place
        self.commands = {row["name"] for row in ours.call("guest-info")["supported_commands"]}
        self.known: dict[str, list[Difference]] = {}

    def differences(self, name: str) -> list[Difference]:
        """Where ours differs from the peer's in one of QUESTIONS; asked once."""
        if name not in self.known:
            self.known[name] = self._persisting(name)
        return self.known[name]

    def _persisting(self, name: str) -> list[Difference]:
        found = self._once(name)
        for _ in range(1, TRIES):
            if not unlisted(found, self.place):
                break
            again = {(one.path, one.kind) for one in self._once(name)}
            found = [one for one in found if (one.path, one.kind) in again]
        return found

    def _once(self, name: str) -> list[Difference]:
        question = QUESTIONS[name]
        before = question.ask(self.peer)
        ours = question.ask(self.ours)
        after = question.ask(self.peer)
        if question.renew:
            before, after = question.renew(before), question.renew(after)
        return compare(name, before, ours, after)

    def lacks(self, name: str) -> str | None:
        """A command of the question that our agent lacks; a family may be left out of it."""
        asked = QUESTIONS.values() if name == "info" else [QUESTIONS[name]]
        return next((one.needs for one in asked if one.needs not in self.commands), None)

    def check(self, name: str) -> None:
        """No differences but those that are meant."""
        if self.lacks(name):
            pytest.skip(f"this agent has no {self.lacks(name)}")
        found = unlisted(self.differences(name), self.place)
        assert not found, "\n".join(map(str, found))

    def check_list(self) -> None:
        """What is said to differ does."""
        if self.lacks("info"):
            pytest.skip(f"this agent has no {self.lacks('info')}")
        found = [one for name in QUESTIONS for one in self.differences(name)]
        rows = outdated(found, self.place)
        assert not rows, "\n".join(f"no longer differs: {row}" for row in rows)
