"""Fixtures of the VM tests: one guest that most of them share, and the means to boot others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from qga import Client

from vm.rig import AGENT, VM, VMError, make_initramfs

SOURCES = Path(__file__).resolve().parent


class MakeInitramfs(Protocol):
    """The type of the fixture initramfs_with: the options are those of scripts/mkinitramfs."""

    def __call__(self, *options: str) -> Path: ...


@pytest.fixture(scope="session")
def agent_path() -> Path:
    """The agent to test: build/tinyqga, or what the variable TINYQGA_AGENT names."""
    path = Path(os.environ.get("TINYQGA_AGENT", AGENT)).resolve()
    if not path.is_file():
        pytest.exit(f"there is no agent at {path}: run make static", 2)
    return path


@pytest.fixture(scope="session")
def initramfs_with(
    tmp_path_factory: pytest.TempPathFactory, agent_path: Path
) -> MakeInitramfs:
    """Make an initramfs, once for each set of options."""
    folder = tmp_path_factory.mktemp("initramfs")
    made: dict[tuple[str, ...], Path] = {}

    def make(*options: str) -> Path:
        if options not in made:
            output = folder / f"{len(made)}.gz"
            made[options] = make_initramfs(output, *options, agent=agent_path)
        return made[options]

    return make


@pytest.fixture(scope="session")
def vsock_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static program that talks to a vsock port, for use in a guest."""
    output = tmp_path_factory.mktemp("vsock") / "vsock-client"
    headers = ["-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"]
    source = SOURCES / "vsock-client.c"
    subprocess.run(
        ["musl-gcc", "-static", "-Os", *headers, "-o", output, source], check=True, timeout=60
    )
    return output


@pytest.fixture(scope="session")
def shared_guest(initramfs_with: MakeInitramfs, vsock_client: Path) -> Iterator[VM]:
    """The guest that the fixture vm hands out; it is started there."""
    initramfs = initramfs_with(
        "--later", "vsock_loopback",
        "--add", f"{vsock_client}:/bin/vsock-client",
        "--add", f"{SOURCES / 'sample-wakeups'}:/bin/sample-wakeups",
    )  # fmt: skip
    guest = VM(initramfs, serial=True)
    yield guest
    guest.stop()


@pytest.fixture
def vm(shared_guest: VM) -> Iterator[VM]:
    """The shared guest, booted (again) if it is not there or does not answer."""
    try:
        shared_guest.wait_agent(5)
    except VMError:
        shared_guest.stop()
        shared_guest.start()
    yield shared_guest
    shared_guest.hang_up()
    shared_guest.hang_up(shared_guest.serial_path)
    print(shared_guest.tail())


@pytest.fixture
def client(vm: VM) -> Client:
    """A connection to the shared guest's agent."""
    return vm.agent()
