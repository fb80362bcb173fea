"""Real disks of each kind that QEMU has, in a guest without udev: what the agent says of them is
what QEMU was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from vm.conftest import MakeInitramfs
from vm.guest import shell
from vm.rig import VM

DISK_BYTES = 8 << 20
# What QEMU is told: name, device, and what the address must then be.
# A disk's PCI slot is in its own arguments, or in those of its controller.
DISKS: list[tuple[str, str, dict[str, Any]]] = [
    ("blk", "virtio-blk-pci,drive={0},serial=BLK 1,addr=0x11",
     {"bus-type": "virtio", "slot": 0x11, "serial": "BLK 1"}),
    ("plain", "virtio-blk-pci,drive={0},addr=0x12", {"bus-type": "virtio", "slot": 0x12}),
    ("scsi", "scsi-hd,drive={0},bus=scsi.0,scsi-id=2,lun=1,serial=SCSI-1",
     {"bus-type": "scsi", "slot": 0x13, "unit": 1, "serial": "0QEMU_QEMU_HARDDISK_SCSI-1"}),
    ("wwn", "scsi-hd,drive={0},bus=scsi.0,scsi-id=3,lun=0,wwn=0x5000c50015ea71ac",
     {"bus-type": "scsi", "slot": 0x13, "unit": 0, "serial": "35000c50015ea71ac"}),
    ("lsi", "scsi-hd,drive={0},bus=lsi.0,scsi-id=4,serial=LSI-1",
     {"bus-type": "scsi", "slot": 0x14, "unit": 4, "serial": "0QEMU_QEMU_HARDDISK_LSI-1"}),
    ("sata", "ide-hd,drive={0},bus=ide.3,serial=SATA-1",
     {"bus-type": "sata", "slot": 0x1F, "function": 2, "unit": 3,
      "serial": "QEMU_HARDDISK_SATA-1"}),
    ("cd", "ide-cd,drive={0},bus=ide.4,serial=CD-1",
     {"bus-type": "sata", "slot": 0x1F, "function": 2, "unit": 4, "serial": "QEMU_DVD-ROM_CD-1"}),
    ("ide", "ide-hd,drive={0},bus=piix.1,unit=1,serial=IDE-1",
     {"bus-type": "ide", "slot": 0x15, "bus": 1, "unit": 1, "serial": "QEMU_HARDDISK_IDE-1"}),
    ("nvme", "nvme,drive={0},serial=NVME-1,addr=0x16",
     {"bus-type": "nvme", "slot": 0x16, "serial": "QEMU_NVMe_Ctrl_NVME-1_1"}),
    ("usb", "usb-storage,drive={0},bus=usb.0,serial=USB-1",
     {"bus-type": "usb", "slot": 0x17, "serial": "QEMU_QEMU_HARDDISK_USB-1-0:0"}),
    ("sd", "sd-card,drive={0}", {"bus-type": "unknown", "slot": -1, "serial": "0xdeadbeef"}),
]  # fmt: skip
CONTROLLERS = [
    "virtio-scsi-pci,id=scsi,addr=0x13",
    "lsi53c895a,id=lsi,addr=0x14",
    "piix3-ide,id=piix,addr=0x15",
    "qemu-xhci,id=usb,addr=0x17",
    "sdhci-pci,addr=0x18",
]
MODULES = [
    "virtio_blk", "virtio_scsi", "sym53c8xx", "ahci", "ata_piix", "nvme", "xhci_pci",
    "usb-storage", "sd_mod", "sr_mod", "sdhci_pci", "mmc_block", "ext4", "dm_mod", "loop",
]  # fmt: skip
COUNTERS = [
    "data-units-read", "data-units-written", "host-read-commands", "host-write-commands",
    "controller-busy-time", "power-cycles", "power-on-hours", "unsafe-shutdowns", "media-errors",
    "number-of-error-log-entries",
]  # fmt: skip


@pytest.fixture(scope="module")
def guest(initramfs_with: MakeInitramfs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VM]:
    """A guest with all of these, booted."""
    folder = tmp_path_factory.mktemp("disks")
    options = [word for module in MODULES for word in ("--module", module)]
    qemu = [word for controller in CONTROLLERS for word in ("-device", controller)]
    for count, (name, device, _) in enumerate(DISKS):
        path = folder / f"{name}.img"
        with path.open("wb") as file:
            # By its size a disk is known whatever the kernel calls it.
            file.truncate(DISK_BYTES << 1 if name == "sd" else DISK_BYTES + (count << 16))
        kind = ",media=cdrom" if name == "cd" else ""
        qemu += ["-drive", f"file={path},if=none,id={name},format=raw{kind}"]
        qemu += ["-device", device.format(name)]
    with VM(
        initramfs_with("--kernel", "generic", *options),
        options=("--kernel", "generic"),
        qemu=tuple(qemu),
        boot_limit_s=120.0,
    ) as vm:
        vm.wait_for(
            lambda: shell(vm.agent(), "cat /sys/block/*/size").split().count("0") + len(DISKS)
            <= len(shell(vm.agent(), "ls /sys/block").split()),
            60.0,
            "the disks are not all there",
        )
        yield vm


def nodes(vm: VM) -> dict[str, str]:
    """What the kernel calls each disk, by its size."""
    sizes = {}
    for line in shell(vm.agent(), "grep -H . /sys/block/*/size").splitlines():
        path, _, size = line.rpartition(":")
        sizes[int(size) * 512] = path.split("/")[3]
    return {
        name: sizes[DISK_BYTES << 1 if name == "sd" else DISK_BYTES + (count << 16)]
        for count, (name, _, _) in enumerate(DISKS)
    }


def test_each_kind(guest: VM) -> None:
    """Controller, position, serial and node of each disk are those that QEMU was told."""
    names = nodes(guest)
    rows = {row["name"]: row for row in guest.agent().call("guest-get-disks")}
    found = {}
    expected = {}
    for name, _, told in DISKS:
        address = rows[f"/dev/{names[name]}"]["address"]
        controller = address.pop("pci-controller")
        found[name] = {**controller, **address}
        on_pci = told["slot"] >= 0
        expected[name] = {
            "domain": 0 if on_pci else -1,
            "bus": told.get("bus", 0),
            "function": 0 if on_pci else -1,
            "target": 0,
            "unit": 0,
            "dev": f"/dev/{names[name]}",
            **told,
        }
        assert controller["bus"] == (0 if on_pci else -1)
    assert found == expected


def test_smart(guest: VM) -> None:
    """The NVMe disk's health log is there, and counts what is read."""
    names = nodes(guest)
    node = f"/dev/{names['nvme']}"

    def smart() -> dict[str, Any]:
        rows = {row["name"]: row for row in guest.agent().call("guest-get-disks")}
        assert all("smart" not in row for name, row in rows.items() if name != node)
        health: dict[str, Any] = rows[node]["smart"]
        return health

    before = smart()
    assert set(before) == {
        "type", "critical-warning", "temperature", "available-spare", "available-spare-threshold",
        "percentage-used", *(f"{name}-{half}" for name in COUNTERS for half in ("lo", "hi")),
    }  # fmt: skip
    assert before["type"] == "nvme"
    assert 250 < before["temperature"] < 400
    assert before["critical-warning"] == 0
    shell(guest.agent(), f"echo 3 >/proc/sys/vm/drop_caches; dd if={node} of=/dev/null bs=1M")
    after = smart()
    assert after["host-read-commands-lo"] > before["host-read-commands-lo"]
    assert after["host-read-commands-hi"] == 0


def test_partitions(guest: VM) -> None:
    """A partition table that is written while the agent runs is seen at once."""
    names = nodes(guest)
    for name in ("plain", "sd"):
        node = f"/dev/{names[name]}"
        shell(guest.agent(), f"printf 'o\\nn\\np\\n1\\n\\n\\nw\\n' | fdisk {node} >/dev/null")
        part = f"{node}{'p1' if name == 'sd' else '1'}"
        guest.wait_for(lambda: shell(guest.agent(), f"ls {part} || true") != "", 20.0, "no node")
        rows = {row["name"]: row for row in guest.agent().call("guest-get-disks")}
        assert rows[part] == {"name": part, "partition": True, "dependencies": [node]}


def test_statistics(guest: VM) -> None:
    """Every line of the kernel's statistics has its row."""
    rows = guest.agent().call("guest-get-diskstats")
    lines = shell(guest.agent(), "cat /proc/diskstats").splitlines()
    assert [row["name"] for row in rows] == [line.split()[2] for line in lines]
    assert {row["name"] for row in rows} >= set(nodes(guest).values())


def test_nothing_stays_open(guest: VM) -> None:
    """The agent leaves nothing open on the disks."""
    client = guest.agent()
    client.call("guest-get-disks")
    open_files = shell(client, "ls -l /proc/$PPID/fd")
    assert not [line for line in open_files.splitlines() if "/dev/nvme" in line]
