"""Processors, memory and the network in a guest: switching them is seen by the kernel, and a
kernel may lack any of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from qga import AgentError, Client

from vm.conftest import MakeInitramfs
from vm.guest import shell
from vm.rig import VM

CPUS = 4
PLUGGED_MIB = 256


@pytest.fixture(scope="module")
def guest(initramfs_with: MakeInitramfs) -> Iterator[VM]:
    """A guest with four processors and a slot for memory, without IPv6."""
    with VM(
        initramfs_with(),
        cpus=CPUS,
        append="ipv6.disable=1 memhp_default_state=online_movable",
        qemu=("-m", "256,slots=2,maxmem=1G"),
        boot_limit_s=120.0,
    ) as vm:
        yield vm


@pytest.fixture(scope="module")
def client(guest: VM) -> Client:
    """A connection that all tests here share."""
    return guest.agent(60.0)


def online(client: Client) -> list[int]:
    """The processors that are online, as the agent and as the kernel says."""
    rows = client.call("guest-get-vcpus")
    assert [row["logical-id"] for row in rows] == [*range(CPUS)]
    told = [row["logical-id"] for row in rows if row["online"]]
    numbers: list[int] = []
    for part in shell(client, "cat /sys/devices/system/cpu/online").strip().split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    assert told == numbers
    return told


def set_vcpus(client: Client, *changes: tuple[int, bool]) -> int:
    vcpus = [{"logical-id": number, "online": state} for number, state in changes]
    done: int = client.call("guest-set-vcpus", 60.0, vcpus=vcpus)
    return done


def test_processors_are_switched(client: Client) -> None:
    """Processors go offline and come back in the order of the list; one that does not exist ends
    the list; what is offline has no times."""
    assert online(client) == [0, 1, 2, 3]
    assert set_vcpus(client, (1, False), (3, False), (1, False)) == 3
    assert online(client) == [0, 2]
    assert [row["cpu"] for row in client.call("guest-get-cpustats")] == [0, 2]
    assert set_vcpus(client, (1, True), (7, False), (3, True)) == 1
    assert online(client) == [0, 1, 2]
    with pytest.raises(AgentError) as caught:
        set_vcpus(client, (7, True), (3, True))
    assert "/sys/devices/system/cpu/cpu7/" in caught.value.desc
    assert set_vcpus(client, (3, True)) == 1
    assert online(client) == [0, 1, 2, 3]


def test_last_processor_stays(client: Client) -> None:
    """The kernel refuses to switch off its last processor: those before are done, and then it is
    an error that says so."""
    fixed = not client.call("guest-get-vcpus")[0]["can-offline"]
    assert set_vcpus(client, *((n, False) for n in (1, 2, 3, 0))) == 3
    assert online(client) == [0]
    with pytest.raises(AgentError) as caught:
        set_vcpus(client, (0, False))
    if fixed:
        assert caught.value.desc == "logical processor #0 can't be offlined"
    else:
        assert "Device or resource busy" in caught.value.desc
    assert set_vcpus(client, *((n, True) for n in (1, 2, 3))) == 3


def blocks(client: Client) -> dict[int, dict[str, Any]]:
    return {row["phys-index"]: row for row in client.call("guest-get-memory-blocks")}


def test_memory_is_switched(guest: VM, client: Client) -> None:
    """Memory that is plugged while the guest runs comes as blocks, which go on and off."""
    if shell(client, "ls -d /sys/devices/system/memory || true") == "":
        pytest.fail("this kernel has no memory blocks")
    size = client.call("guest-get-memory-block-info")["size"]
    before = blocks(client)
    assert guest.monitor
    guest.monitor.execute(
        "object-add", qom_type="memory-backend-ram", id="more", size=PLUGGED_MIB << 20
    )
    guest.monitor.execute("device_add", driver="pc-dimm", id="dimm", memdev="more")
    guest.wait_for(
        lambda: bool(len(blocks(client)) == len(before) + (PLUGGED_MIB << 20) // size),
        20.0,
        "the memory has not come",
    )
    new = sorted(blocks(client).keys() - before.keys())
    for state in (True, False, True, True):
        reply = client.call(
            "guest-set-memory-blocks",
            60.0,
            mem_blks=[{"phys-index": n, "online": state} for n in (*new, 99999)],
        )
        assert reply == [
            *({"phys-index": n, "response": "success"} for n in new),
            {"phys-index": 99999, "response": "not-found", "error-code": 2},
        ]
        assert all(blocks(client)[n]["online"] == state for n in new)
        for n in new:
            text = shell(client, f"cat /sys/devices/system/memory/memory{n}/state").strip()
            assert text == ("online" if state else "offline")


def test_memory_in_use_stays(client: Client) -> None:
    """A block that the kernel cannot do without is refused with the kernel's reason, and the agent
    goes on."""
    first = min(blocks(client))
    reply = client.call(
        "guest-set-memory-blocks", 180.0, mem_blks=[{"phys-index": first, "online": False}]
    )
    assert reply[0]["response"] == "operation-failed" and reply[0]["error-code"] > 0
    assert blocks(client)[first]["online"]
    assert client.call("guest-ping") == {}


def test_kernel_without_ipv6(client: Client) -> None:
    """Without IPv6 in the kernel, the interfaces and the routes of IPv4 are told."""
    shell(client, "ip link set lo up && ip route add 10.0.0.0/8 via 127.0.0.1 dev lo || true")
    assert shell(client, "ls /proc/net/ipv6_route 2>/dev/null || echo none") == "none\n"
    routes = client.call("guest-network-get-route")
    assert all(row["version"] == 4 for row in routes)
    (lo,) = [row for row in client.call("guest-network-get-interfaces") if row["name"] == "lo"]
    assert [row["ip-address"] for row in lo["ip-addresses"]] == ["127.0.0.1"]


def test_without_sysfs(client: Client) -> None:
    """Where /sys and /proc are not mounted, they are read and switched all the same."""
    processors = client.call("guest-get-vcpus")
    there = blocks(client)
    load = client.call("guest-get-load").keys()
    shell(client, "umount -l /sys; umount -l /proc")
    assert client.call("guest-get-vcpus") == processors
    assert blocks(client) == there
    assert client.call("guest-get-load").keys() == load
    assert set_vcpus(client, (2, False), (3, False)) == 2
    assert [row["cpu"] for row in client.call("guest-get-cpustats")] == [0, 1]
    assert set_vcpus(client, (2, True), (3, True)) == 2
    assert all(row["version"] == 4 for row in client.call("guest-network-get-route"))
    shell(client, "mount -t proc proc /proc; mount -t sysfs sysfs /sys")
