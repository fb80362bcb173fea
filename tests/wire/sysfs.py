"""A /sys of our own, with block devices as the kernel lays them out."""

from __future__ import annotations

import os
from pathlib import Path

from conftest import StartAgent
from agent_process import Agent
from namespace import in_namespace


class Sysfs:
    """The tree that an agent sees as /sys. Paths are relative to its folder devices."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.devices = root / "devices"
        self.numbers = 0
        for name in ("block", "dev/block", "class/block"):
            (root / name).mkdir(parents=True)

    def put(self, path: str, content: str | bytes) -> None:
        """Write an attribute: a string gets the newline that the kernel puts."""
        file = self.devices / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())

    def drive(self, path: str, driver: str) -> None:
        """Say which driver a PCI device has."""
        target = self.root / "bus/pci/drivers" / driver
        target.mkdir(parents=True, exist_ok=True)
        (self.devices / path).mkdir(parents=True, exist_ok=True)
        self._link(self.devices / path / "driver", target)

    def _link(self, link: Path, target: Path) -> None:
        link.symlink_to(os.path.relpath(target, link.parent))

    def _device(self, path: str, kind: str, number: str | None) -> str:
        self.numbers += 1
        number = number or f"240:{self.numbers}"
        major, _, minor = number.partition(":")
        folder = self.devices / path
        node = folder.name.replace("!", "/")
        self.put(f"{path}/dev", number)
        self.put(
            f"{path}/uevent",
            f"MAJOR={major}\nMINOR={minor}\nDEVNAME={node}\nDEVTYPE={kind}",
        )
        self._link(folder / "subsystem", self.root / "class/block")
        self._link(self.root / "dev/block" / number, folder)
        return number

    def disk(
        self, path: str, *, size: str = "2048", partitions: int = 0, number: str | None = None
    ) -> str:
        """Add a disk at its path, whose last part is its name. Returns its number, 240:1."""
        number = self._device(path, "disk", number)
        self.put(f"{path}/size", size)
        folder = self.devices / path
        for name in ("slaves", "holders", "queue", "power"):
            (folder / name).mkdir()
        self._link(self.root / "block" / folder.name, folder)
        for count in range(1, partitions + 1):
            self.partition(path, count)
        return number

    def partition(self, path: str, count: int, number: str | None = None) -> str:
        """Add a partition of a disk."""
        name = path.rpartition("/")[2]
        child = f"{path}/{name}{'p' if name[-1].isdigit() else ''}{count}"
        number = self._device(child, "partition", number)
        self.put(f"{child}/size", "1024")
        self.put(f"{child}/partition", str(count))
        return number

    def stack(
        self, name: str, *below: str, alias: str | None = None, number: str | None = None
    ) -> str:
        """Add an md or dm device that is made of the devices at these paths."""
        path = f"virtual/block/{name}"
        number = self.disk(path, number=number)
        for one in below:
            target = self.devices / one
            self._link(self.devices / path / "slaves" / target.name, target)
        if alias is not None:
            self.put(f"{path}/dm/name", alias)
        return number

    def agent(self, start_agent: StartAgent) -> Agent:
        """Start an agent that sees the tree."""
        return start_agent(
            wrapper=in_namespace({self.root: "/sys"}),
            # So that QEMU's agent can be asked, too: libudev would refuse what is no sysfs.
            env={**os.environ, "SYSTEMD_DEVICE_VERIFY_SYSFS": "0"},
        )
