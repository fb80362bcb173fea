"""The disks: guest-get-disks and guest-get-diskstats, on this machine and in a /sys of ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agent_process import Agent
from conftest import StartAgent
from namespace import in_namespace
from qga import AgentError
from sysfs import Sysfs

NO_PCI = {"domain": -1, "bus": -1, "slot": -1, "function": -1}
BUS = "pci0000:00"
# An ASCII name of the T10 vendor's kind, and binary ones by NAA, as page 83 has them.
LUN_ASCII, T10_ASCII, NAA_BINARY, EUI_BINARY = (
    bytes([2, 0, 0]), bytes([2, 1, 0]), bytes([1, 3, 0]), bytes([1, 2, 0]),
)  # fmt: skip


def pci(slot: int, function: int = 0, bus: int = 0, domain: int = 0) -> dict[str, int]:
    return {"domain": domain, "bus": bus, "slot": slot, "function": function}


def vpd(page: int, *parts: bytes) -> bytes:
    """A page of vital product data."""
    body = b"".join(parts)
    return bytes([0, page]) + len(body).to_bytes(2, "big") + body


def name_in(kind: bytes, name: bytes) -> bytes:
    """A designator of page 83."""
    return kind + bytes([len(name)]) + name


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path / "sys")


def ask(agent: Agent, command: str = "guest-get-disks") -> Any:
    with agent.client() as client:
        return client.call(command)


def address_of(sysfs: Sysfs, start_agent: StartAgent) -> dict[str, Any]:
    """The address of the one disk that has one."""
    rows = ask(sysfs.agent(start_agent))
    (address,) = [row["address"] for row in rows if "address" in row]
    assert isinstance(address, dict)
    return address


def test_this_machine(agent: Agent) -> None:
    """Every disk of this machine that has a size is there with its partitions, and its address
    unless it is virtual."""
    rows = ask(agent)
    expected = {}
    for disk in Path("/sys/block").iterdir():
        if (disk / "size").read_text() == "0\n" or not (disk / "dev").exists():
            continue
        node = "/dev/" + disk.name.replace("!", "/")
        slaves = [f"/dev/{slave.name}" for slave in (disk / "slaves").iterdir()]
        expected[node] = (False, sorted(slaves), "/virtual/" not in str(disk.resolve()))
        for part in disk.glob("*/partition"):
            expected[f"/dev/{part.parent.name}"] = (True, [node], False)
    assert {
        row["name"]: (row["partition"], sorted(row["dependencies"]), "address" in row)
        for row in rows
    } == expected
    assert len(rows) == len(expected)
    for row in rows:
        assert row.get("address", {}).get("dev", row["name"]) == row["name"]


def test_without_sysfs(start_agent: StartAgent, tmp_path: Path) -> None:
    """A /sys with nothing in it gives no disks or an error that says so, and no harm."""
    if os.geteuid() == 0:
        (tmp_path / "block").mkdir()
    agent = start_agent(wrapper=in_namespace({tmp_path: "/sys"}))
    assert ask(agent) == []


def test_partitions(sysfs: Sysfs, start_agent: StartAgent) -> None:
    """Partitions depend on their disk and have nothing else; other folders are none."""
    disk = f"{BUS}/0000:00:1d.0/virtio7/block/vda"
    sysfs.drive(f"{BUS}/0000:00:1d.0", "virtio-pci")
    sysfs.disk(disk, partitions=12)
    sysfs.disk("platform/soc/mmc_host/mmc0/mmc0:0001/block/mmcblk0", partitions=1)
    (sysfs.devices / disk / "vdamq").mkdir()
    (sysfs.devices / disk / "vdap").mkdir()
    rows = ask(sysfs.agent(start_agent))
    whole = [row for row in rows if not row["partition"]]
    parts = [row for row in rows if row["partition"]]
    assert sorted(row["name"] for row in whole) == ["/dev/mmcblk0", "/dev/vda"]
    assert sorted(row["name"] for row in parts) == sorted(
        ["/dev/mmcblk0p1", *(f"/dev/vda{n}" for n in range(1, 13))]
    )
    for row in parts:
        parent = "/dev/vda" if "vda" in row["name"] else "/dev/mmcblk0"
        assert row == {"name": row["name"], "partition": True, "dependencies": [parent]}


def test_what_is_no_disk(sysfs: Sysfs, start_agent: StartAgent) -> None:
    """Drives without a medium and hidden paths to a disk are left out; names may hold a slash."""
    sysfs.disk("virtual/block/loop0", size="0")
    sysfs.disk("virtual/block/ram0", size="8192")
    sysfs.disk("virtual/nvme-subsystem/nvme-subsys0/nvme0c0n1")
    (sysfs.devices / "virtual/nvme-subsystem/nvme-subsys0/nvme0c0n1/dev").unlink()
    (sysfs.devices / "virtual/nvme-subsystem/nvme-subsys0/nvme0c0n1/uevent").write_text("")
    sysfs.disk(f"{BUS}/0000:00:1d.0/cciss0/c0d0/block/cciss!c0d0", partitions=1)
    rows = {row["name"]: row for row in ask(sysfs.agent(start_agent))}
    assert set(rows) == {"/dev/ram0", "/dev/cciss/c0d0", "/dev/cciss/c0d0p1"}
    assert rows["/dev/cciss/c0d0p1"]["dependencies"] == ["/dev/cciss/c0d0"]
    assert rows["/dev/cciss/c0d0"]["address"]["dev"] == "/dev/cciss/c0d0"


@pytest.mark.ours
def test_stacks(sysfs: Sysfs, start_agent: StartAgent) -> None:
    """Devices made of others say of which, and have the device mapper's name but no address.
    (QEMU's agent asks udev for the name.)"""
    disks = [f"{BUS}/0000:00:1d.{n}/virtio{n}/block/vd{'ab'[n]}" for n in range(2)]
    for path in disks:
        sysfs.disk(path, partitions=2)
    sysfs.stack("md127", f"{disks[0]}/vda1", f"{disks[1]}/vdb1")
    sysfs.stack("dm-0", "virtual/block/md127", alias="group-volume--1")
    sysfs.stack("dm-1", "virtual/block/dm-0", disks[0] + "/vda2", alias="")
    rows = {row["name"]: row for row in ask(sysfs.agent(start_agent))}
    assert sorted(rows["/dev/md127"]["dependencies"]) == ["/dev/vda1", "/dev/vdb1"]
    assert rows["/dev/dm-0"] == {
        "name": "/dev/dm-0",
        "partition": False,
        "dependencies": ["/dev/md127"],
        "alias": "group-volume--1",
    }
    assert sorted(rows["/dev/dm-1"]["dependencies"]) == ["/dev/dm-0", "/dev/vda2"]
    assert "alias" not in rows["/dev/dm-1"] and "address" not in rows["/dev/dm-1"]
    assert rows["/dev/vda"]["dependencies"] == []


def channel(kind: str, number: int, target: int, lun: int = 0, host: int | None = None) -> str:
    """The part of a SCSI disk's path that begins with its controller's channel."""
    host = number if host is None else host
    prefix = f"ata{number}/host{host}" if kind == "ata" else f"{kind}{number}"
    return f"{prefix}/target{host}:0:{target}/{host}:0:{target}:{lun}/block"


# QEMU 7.2 does not know USB's controllers yet.
OURS = pytest.mark.ours

# driver, path below its PCI device, further channels, bus-type, bus, unit
ON_PCI = [
    ("virtio-pci", "virtio3/block/vda", [], "virtio", 0, 0),
    ("virtio-pci", f"virtio3/{channel('host', 2, 3, 5)}/sda", [], "scsi", 0, 5),
    ("virtio-pci", f"virtio3/{channel('host', 2, 0, 16385)}/sda", [], "scsi", 0, 16385),
    ("ata_piix", f"{channel('ata', 9, 1)}/sda", ["ata10"], "ide", 0, 1),
    ("ata_piix", f"{channel('ata', 10, 0, host=1)}/sda", ["ata9"], "ide", 1, 0),
    ("ata_piix", f"{channel('host', 1, 1)}/sda", ["host0"], "ide", 1, 1),
    ("ahci", f"{channel('ata', 11, 0)}/sda", ["ata8", "ata9", "ata10", "ata12"], "sata", 0, 3),
    ("ahci", f"{channel('ata', 1, 0)}/sda", ["ata2", "ata10"], "sata", 0, 0),
    ("sym53c8xx", f"{channel('host', 0, 4, 1)}/sda", [], "scsi", 0, 4),
    ("nvme", "nvme/nvme0/nvme0n1", [], "nvme", 0, 0),
    pytest.param(
        "xhci_hcd", f"usb2/2-1/2-1:1.0/{channel('host', 6, 0)}/sda", [], "usb", 0, 0, marks=OURS
    ),
    pytest.param(
        "ehci-pci", f"usb1/1-1.4/1-1.4:1.0/{channel('host', 6, 0)}/sda", [], "usb", 0, 0, marks=OURS
    ),
]


@pytest.mark.parametrize(
    "driver, path, others, bus_type, bus, unit", ON_PCI
)
def test_on_pci(
    sysfs: Sysfs,
    start_agent: StartAgent,
    driver: str,
    path: str,
    others: list[str],
    bus_type: str,
    bus: int,
    unit: int,
) -> None:
    """The controller is the PCI device with a driver that is known, here behind a bridge; where
    the disk is on it is counted as QEMU's agent does."""
    bridge = f"{BUS}/0000:00:1c.0"
    sysfs.drive(bridge, "pcieport")
    sysfs.drive(f"{bridge}/0000:0a:1f.3", driver)
    for other in others:
        (sysfs.devices / f"{bridge}/0000:0a:1f.3/{other}").mkdir()
    sysfs.disk(f"{bridge}/0000:0a:1f.3/{path}")
    address = address_of(sysfs, start_agent)
    assert address == {
        "pci-controller": pci(31, 3, bus=10),
        "bus-type": bus_type,
        "bus": bus,
        "target": 0,
        "unit": unit,
        "dev": f"/dev/{path.rpartition('/')[2]}",
    }


@pytest.mark.ours
def test_many_channels(sysfs: Sysfs, start_agent: StartAgent) -> None:
    """A controller may have more channels than the eight that QEMU's agent counts."""
    controller = f"{BUS}/0000:00:1f.2"
    sysfs.drive(controller, "ahci")
    for number in range(1, 33):
        (sysfs.devices / controller / f"ata{number}").mkdir()
    sysfs.disk(f"{controller}/{channel('ata', 31, 0)}/sda")
    address = address_of(sysfs, start_agent)
    assert (address["bus-type"], address["unit"]) == ("sata", 30)


@pytest.mark.ours
def test_pci_of_a_device_tree(sysfs: Sysfs, start_agent: StartAgent) -> None:
    """PCI may be anywhere below devices, and domains may be large."""
    controller = "platform/4010000000.pcie/pci10000:e0/10000:e0:02.0"
    sysfs.drive(controller, "virtio-pci")
    sysfs.disk(f"{controller}/virtio0/block/vda")
    address = address_of(sysfs, start_agent)
    assert address["pci-controller"] == pci(2, bus=0xE0, domain=0x10000)
    assert address["bus-type"] == "virtio"


# path, bus-type, bus, target, unit
ELSEWHERE = [
    ("platform/a003e00.virtio_mmio/virtio0/block/vda", "virtio", 0, 0, 0),
    ("platform/a003c00.virtio_mmio/virtio1/host0/target0:1:3/0:1:3:5/block/sda", "scsi", 1, 3, 5),
    ("platform/soc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0", "unknown", 0, 0, 0),
    (f"{BUS}/0000:00:1d.0/host0/target0:0:1/0:0:1:0/block/sda", "unknown", 0, 0, 0),
    (f"{BUS}/0000:00:1d.1/nvme-like/sda", "unknown", 0, 0, 0),
    ("vbd-51712/block/xvda", "unknown", 0, 0, 0),
]


@pytest.mark.parametrize(
    "path, bus_type, bus, target, unit", ELSEWHERE, ids=[case[0] for case in ELSEWHERE]
)
def test_not_on_pci(
    sysfs: Sysfs,
    start_agent: StartAgent,
    path: str,
    bus_type: str,
    bus: int,
    target: int,
    unit: int,
) -> None:
    """Where no controller on PCI is known there is none in the address; virtio is still told."""
    sysfs.drive(f"{BUS}/0000:00:1d.0", "megaraid_sas")
    sysfs.disk(path)
    assert address_of(sysfs, start_agent) == {
        "pci-controller": NO_PCI,
        "bus-type": bus_type,
        "bus": bus,
        "target": target,
        "unit": unit,
        "dev": f"/dev/{path.rpartition('/')[2]}",
    }


@pytest.mark.ours
def test_channel_devices(sysfs: Sysfs, start_agent: StartAgent) -> None:
    """Disks of a mainframe's channel subsystem have its address. (QEMU 7.2 lacks it.)"""
    sysfs.disk("css0/0.2.000a/0.2.00fe/virtio3/block/vda")
    address = address_of(sysfs, start_agent)
    assert address["ccw-address"] == {"cssid": 0, "ssid": 2, "subchno": 10, "devno": 254}
    assert (address["bus-type"], address["pci-controller"]) == ("virtio", NO_PCI)


SCSI = f"{BUS}/0000:00:1d.0/virtio2/host2/target2:0:3/2:0:3:5"
ATA = f"{BUS}/0000:00:1d.0/ata1/host0/target0:0:0/0:0:0:0"
USB = f"{BUS}/0000:00:1d.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:1"
NVME = f"{BUS}/0000:00:1d.0/nvme/nvme0"
INQUIRY = {"vendor": "QEMU    ", "model": "QEMU HARDDISK   "}
Attributes = dict[str, str | bytes]

# A name, the disk's path, the attributes by their path from the last but one folder that is
# not "block", the serial.
SERIALS: list[tuple[str, str, Attributes, str | None]] = [
    ("virtio", "virtio3/block/vda", {"serial": b"PARTED-1"}, "PARTED-1"),
    ("virtio-odd", "virtio3/block/vda", {"serial": b" a/b c$%?,(;\xff\t\\x20\xc3\xa9 "},
     " a/b c$%?,___ \\x20\u00e9"),
    ("virtio-none", "virtio3/block/vda", {"serial": b""}, None),
    ("mmc", "mmc_host/mmc0/mmc0:1/block/mmcblk0", {"../../serial": "0xdeadbeef"}, "0xdeadbeef"),
    ("nvme", f"{NVME}/nvme0n1",
     {"../model": "QEMU NVMe Ctrl                 ", "../serial": "NVME-1     ", "nsid": "1"},
     "QEMU_NVMe_Ctrl_NVME-1_1"),
    ("nvme-old", f"{NVME}/nvme0n1", {"../model": "A  B/C", "../serial": "N"}, "A__B_C_N"),
    ("scsi-name", f"{SCSI}/block/sda",
     {"../../vpd_pg83": vpd(0x83, name_in(LUN_ASCII, b"SCSI-1")),
      "../../vpd_pg80": vpd(0x80, b"OTHER")}, "0QEMU_QEMU_HARDDISK_SCSI-1"),
    ("scsi-naa", f"{SCSI}/block/sda",
     {"../../vpd_pg83": vpd(
         0x83, name_in(LUN_ASCII, b"SCSI-1"), name_in(EUI_BINARY, bytes(8)),
         name_in(bytes([1, 0x93, 0]), bytes([0x50] * 8)), name_in(NAA_BINARY, bytes([0x21] * 8)),
         name_in(NAA_BINARY, bytes.fromhex("5000c50012abcdef")))}, "35000c50012abcdef"),
    ("scsi-naa-6", f"{SCSI}/block/sda",
     {"../../vpd_pg83": vpd(
         0x83, name_in(NAA_BINARY, bytes.fromhex("5000c50012abcdef")),
         name_in(NAA_BINARY, bytes.fromhex("60014051234567890000000000000abc")))},
     "360014051234567890000000000000abc"),
    ("scsi-t10", f"{SCSI}/block/sda",
     {"../../vpd_pg83": vpd(0x83, name_in(T10_ASCII, b"LIO-ORG disk:  1 "))}, "1LIO-ORG_disk:_1"),
    ("scsi-number", f"{SCSI}/block/sda", {"../../vpd_pg80": vpd(0x80, b"  NUM,1 ")},
     "SQEMU_QEMU_HARDDISK_NUM_1"),
    ("scsi-cut", f"{SCSI}/block/sda", {"../../vpd_pg83": b"\0\x83\0\x40\x02\0\0\x40ABC"},
     "0QEMU_QEMU_HARDDISK_ABC"),
    ("scsi-bad", f"{SCSI}/block/sda", {"../../vpd_pg83": b"\0\x83\0", "../../vpd_pg80": b""}, None),
    ("ata", f"{ATA}/block/sda",
     {"../../vpd_pg83": vpd(
         0x83, name_in(LUN_ASCII, b"SATA-1              "), name_in(
             T10_ASCII, b"ATA     " + b"QEMU HARDDISK".ljust(40) + b"SATA-1".rjust(20)))},
     "QEMU_HARDDISK_SATA-1"),
    ("ata-none", f"{ATA}/block/sr0", {"../../vpd_pg80": vpd(0x80, b"X")}, None),
    ("usb", f"{USB}/block/sda", {"../../../../../../idVendor": "46f4",
                                 "../../../../../../serial": "USB 1"},
     "QEMU_QEMU_HARDDISK_USB_1-0:1"),
    ("usb-none", f"{USB}/block/sda", {"../../../../../../idVendor": "46f4",
                                      "../../../../../../../serial": "the hub's"},
     "QEMU_QEMU_HARDDISK-0:1"),
    ("usb-bad", f"{USB}/block/sda", {"../../../../../../idVendor": "46f4",
                                     "../../../../../../serial": "a,b"},
     "QEMU_QEMU_HARDDISK-0:1"),
    ("xen", "vbd-51712/block/xvda", {"serial": "X"}, None),
]  # fmt: skip


@pytest.mark.ours
@pytest.mark.parametrize(
    "path, attributes, serial", [case[1:] for case in SERIALS], ids=[case[0] for case in SERIALS]
)
def test_serial(
    sysfs: Sysfs,
    start_agent: StartAgent,
    path: str,
    attributes: Attributes,
    serial: str | None,
) -> None:
    """The serial is what udev's rules and helpers would make of the device, without udev.
    (QEMU's agent has none where there is no udev.)"""
    sysfs.disk(path)
    if "target" in path:
        attributes = {**{f"../../{name}": value for name, value in INQUIRY.items()}, **attributes}
    for name, value in attributes.items():
        sysfs.put(os.path.normpath(f"{path}/{name}"), value)
    assert address_of(sysfs, start_agent).get("serial") == serial


def test_five_hundred_disks(sysfs: Sysfs, start_agent: StartAgent) -> None:
    """Every one of 500 disks with their partitions is there."""
    for number in range(500):
        sysfs.disk(f"{BUS}/0000:00:1d.0/virtio{number}/block/vd{number}x", partitions=2)
    names = {row["name"] for row in ask(sysfs.agent(start_agent))}
    assert names == {f"/dev/vd{n}x{part}" for n in range(500) for part in ("", "1", "2")}


@pytest.mark.ours
def test_garbage(sysfs: Sysfs, start_agent: StartAgent) -> None:
    """Links and attributes that make no sense do no harm. (QEMU's agent crashes.)"""
    sysfs.disk(f"{BUS}/0000:00:1d.0/virtio1/block/vda")
    (sysfs.root / "block/sda").symlink_to("/etc")
    (sysfs.root / "block/sdb").symlink_to("../devices/absent")
    (sysfs.root / "block/sdc").symlink_to("../devices/" + "x/" * 1500)
    (sysfs.root / "block/sdd").mkdir()
    sysfs.disk(f"{BUS}/0000:00:99999999999999.0/target1:/ata/block/sde")
    sysfs.put(f"{BUS}/0000:00:99999999999999.0/target1:/vendor", b"\0\xff" * 5000)
    sysfs.put(f"{BUS}/0000:00:99999999999999.0/target1:/ata/block/sde/size", b"\xff" * 5000)
    rows = ask(sysfs.agent(start_agent))
    assert {row["name"] for row in rows} == {"/dev/vda", "/dev/sde"}


# The disks below a file system, of which guest-get-fsinfo tells


@pytest.fixture
def root_number() -> str:
    """The number of the device that has this machine's root, for one of ours to take."""
    device = os.stat("/").st_dev
    if os.major(device) == 0:
        pytest.skip("/ is not on a disk")
    return f"{os.major(device)}:{os.minor(device)}"


def below_root(sysfs: Sysfs, start_agent: StartAgent) -> list[dict[str, Any]]:
    """The addresses of the disks below the root."""
    agent = sysfs.agent(start_agent)
    with agent.client() as client:
        names = [row["name"] for row in client.call("guest-info")["supported_commands"]]
        if "guest-get-fsinfo" not in names:
            pytest.skip("guest-get-fsinfo is not compiled in")
        rows = client.call("guest-get-fsinfo")
    disks = next(row["disk"] for row in rows if row["mountpoint"] == "/")
    assert isinstance(disks, list)
    return disks


def two_disks(sysfs: Sysfs, root_number: str | None = None) -> list[str]:
    """Two disks with two partitions each, the second of the second disk being the root."""
    paths = []
    for count in range(2):
        controller = f"{BUS}/0000:00:1{count}.0"
        path = f"{controller}/virtio{count}/block/vd{'ab'[count]}"
        sysfs.drive(controller, "virtio-pci")
        sysfs.disk(path)
        sysfs.partition(path, 1)
        sysfs.partition(path, 2, root_number if count == 1 else None)
        paths.append(path)
    return paths


def test_below_a_partition(sysfs: Sysfs, start_agent: StartAgent, root_number: str) -> None:
    """A partition's address is its disk's, and its node is its own."""
    two_disks(sysfs, root_number)
    (address,) = below_root(sysfs, start_agent)
    assert address == {
        "pci-controller": pci(17),
        "bus-type": "virtio",
        "bus": 0,
        "target": 0,
        "unit": 0,
        "dev": "/dev/vdb2",
    }


def test_below_a_stack(sysfs: Sysfs, start_agent: StartAgent, root_number: str) -> None:
    """Virtual devices are followed to all disks below them."""
    first, second = two_disks(sysfs)
    sysfs.stack("md0", f"{first}/vda1", f"{second}/vdb1")
    sysfs.stack("dm-0", "virtual/block/md0")
    sysfs.stack("dm-1", "virtual/block/dm-0", f"{second}/vdb2", number=root_number)
    disks = below_root(sysfs, start_agent)
    assert sorted((disk["dev"], disk["pci-controller"]["slot"]) for disk in disks) == [
        ("/dev/vda1", 16), ("/dev/vdb1", 17), ("/dev/vdb2", 17),
    ]  # fmt: skip


@pytest.mark.ours
def test_below_mirrors(sysfs: Sysfs, start_agent: StartAgent, root_number: str) -> None:
    """A device that is met on several ways down is told of once. (QEMU's tells each time.)"""
    first, second = two_disks(sysfs)
    layer = [f"{first}/vda1", second]
    for level in range(10):
        names = [f"dm-{2 * level}", f"dm-{2 * level + 1}"]
        for name in names:
            sysfs.stack(name, *layer)
        layer = [f"virtual/block/{name}" for name in names]
    sysfs.stack("dm-99", *layer, number=root_number)
    disks = below_root(sysfs, start_agent)
    assert sorted(disk["dev"] for disk in disks) == ["/dev/vda1", "/dev/vdb"]


@pytest.mark.ours
def test_below_an_array_s_partition(
    sysfs: Sysfs, start_agent: StartAgent, root_number: str
) -> None:
    """A partition of a virtual disk lies on the disks of that. (QEMU's finds none.)"""
    first, second = two_disks(sysfs)
    sysfs.stack("md0", first, second)
    sysfs.partition("virtual/block/md0", 1, root_number)
    disks = below_root(sysfs, start_agent)
    assert sorted(disk["dev"] for disk in disks) == ["/dev/vda", "/dev/vdb"]


def test_below_nothing(sysfs: Sysfs, start_agent: StartAgent, root_number: str) -> None:
    """Below a virtual disk that is made of none there is none."""
    sysfs.disk("virtual/block/ram0", number=root_number)
    assert below_root(sysfs, start_agent) == []


@pytest.mark.ours
def test_below_a_hundred_disks(sysfs: Sysfs, start_agent: StartAgent, root_number: str) -> None:
    """None of many disks is dropped."""
    paths = [f"{BUS}/0000:00:1d.0/virtio{n}/block/vd{n}x" for n in range(100)]
    for path in paths:
        sysfs.disk(path)
    sysfs.stack("md0", *paths, number=root_number)
    disks = below_root(sysfs, start_agent)
    assert {disk["dev"] for disk in disks} == {f"/dev/vd{n}x" for n in range(100)}
    assert len(disks) == 100


@pytest.mark.ours
def test_loop_of_devices(sysfs: Sysfs, start_agent: StartAgent, root_number: str) -> None:
    """Devices that claim to be made of each other end, although the kernel makes none such."""
    (first, _) = two_disks(sysfs)
    sysfs.stack("dm-0", number=root_number)
    sysfs.stack("dm-1", "virtual/block/dm-0", first)
    slaves = sysfs.devices / "virtual/block/dm-0/slaves"
    (slaves / "dm-1").symlink_to("../../dm-1")
    (slaves / "dm-0").symlink_to("../../dm-0")
    assert [disk["dev"] for disk in below_root(sysfs, start_agent)] == ["/dev/vda"]


COLUMNS = [
    "read-ios", "read-merges", "read-sectors", "read-ticks",
    "write-ios", "write-merges", "write-sectors", "write-ticks",
    "ios-pgr", "total-ticks", "weight-ticks",
    "discard-ios", "discard-merges", "discard-sectors", "discard-ticks",
    "flush-ios", "flush-ticks",
]  # fmt: skip


def test_diskstats_of_this_machine(agent: Agent) -> None:
    """There is a row for each line, with the numbers that only grow between two looks."""
    before = Path("/proc/diskstats").read_text().splitlines()
    rows = ask(agent, "guest-get-diskstats")
    after = Path("/proc/diskstats").read_text().splitlines()
    assert len(rows) == len(before)
    for row, first, last in zip(rows, before, after):
        assert [str(row["major"]), str(row["minor"]), row["name"]] == first.split()[:3]
        for index, column in enumerate(COLUMNS[: len(first.split()) - 3]):
            value = row["stats"][column]
            if column != "ios-pgr":
                assert int(first.split()[3 + index]) <= value <= int(last.split()[3 + index])


@pytest.mark.parametrize("count", [3, 10, 11, 15, 17, 20])
def test_diskstats_of_other_kernels(start_agent: StartAgent, tmp_path: Path, count: int) -> None:
    """What a kernel does not count is absent; what is not yet known is left out."""
    values = [4000000000 + number for number in range(count)]
    line = "   8       1 sda1 " + " ".join(str(value) for value in values)
    (tmp_path / "diskstats").write_text(f"{line}\n\ngarbage\n 8 0 sda\n")
    agent = start_agent(wrapper=in_namespace({tmp_path / "diskstats": "/proc/diskstats"}))
    rows = ask(agent, "guest-get-diskstats")
    if count < 11:
        assert rows == []
        return
    assert rows == [
        {"name": "sda1", "major": 8, "minor": 1, "stats": dict(zip(COLUMNS, values))}
    ]


@pytest.mark.ours
def test_large_diskstats(start_agent: StartAgent, tmp_path: Path) -> None:
    """Counters have 64 bits, and there may be any number of lines."""
    most = 2**64 - 1
    with (tmp_path / "diskstats").open("w") as file:
        for number in range(2000):
            file.write(f" 259 {number:7} nvme{number}n1 " + " ".join([str(most)] * 17) + "\n")
    agent = start_agent(wrapper=in_namespace({tmp_path / "diskstats": "/proc/diskstats"}))
    rows = ask(agent, "guest-get-diskstats")
    assert [row["minor"] for row in rows] == list(range(2000))
    assert all(set(row["stats"].values()) == {most} for row in rows)


@pytest.mark.parametrize("command", ["guest-get-disks", "guest-get-diskstats"])
def test_no_arguments(agent: Agent, command: str) -> None:
    """Neither command takes an argument."""
    with agent.client() as client, pytest.raises(AgentError) as caught:
        client.call(command, x=1)
    assert caught.value.desc == "Parameter 'x' is unexpected"
