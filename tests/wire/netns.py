"""A network of the test's own: a namespace with the interfaces, addresses and routes it makes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# What serves as an interface with nothing behind it, where the kernel has one of these.
KINDS = ("dummy", "bridge", "ifb")


class Network:
    """A network namespace. It lives as long as the process that was started in it."""

    def __init__(self, pid: int) -> None:
        self.enter = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        self.kind = self._find_kind()

    def run(self, *words: str, text: str | None = None) -> str:
        """Run a program in it, which must succeed; its output."""
        done = subprocess.run(
            [*self.enter, *words], input=text, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{words}: {done.stderr[-1000:]}"
        return done.stdout

    def ip(self, *commands: str) -> None:
        """Commands of ip, without the word ip, at one go."""
        self.run("ip", "-batch", "-", text="".join(f"{command}\n" for command in commands))

    def ask_ip(self, *words: str) -> Any:
        """What ip says of it, as JSON."""
        return json.loads(self.run("ip", "-j", *words) or "[]")

    def _find_kind(self) -> str:
        for kind in KINDS:
            words = [*self.enter, "ip", "link", "add", "probe0", "type", kind]
            if subprocess.run(words, capture_output=True).returncode == 0:
                self.ip("link del probe0")
                return kind
        raise AssertionError(f"this kernel has none of {KINDS}")

    def add(self, *names: str) -> None:
        """Add interfaces that have nothing behind them."""
        self.ip(*(f"link add {name} type {self.kind}" for name in names))


@contextmanager
def new_network() -> Iterator[Network]:
    """A new namespace in which lo is up."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin and holder.stdout and holder.stdout.readline() == b"\n"
        network = Network(holder.pid)
        network.ip("link set lo up")
        yield network
        holder.stdin.close()
        holder.wait(20)
