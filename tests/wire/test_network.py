"""The network commands: interfaces with their addresses, and routes, in networks of our own."""

from __future__ import annotations

import ipaddress
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_process import Agent, wait_until
from conftest import StartAgent
from netns import Network, new_network
from procfs import read_kib, reset_peak
from qga import AgentError, Client
from test_memory import is_static

REFERENCE = Path("/usr/sbin/qemu-ga")
STATISTICS = {
    f"{way}-{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errs", "dropped")
}
# With 1.5 KiB and more a message of the kernel's, this many do not come in one read.
MANY = 2000
# Where there is neither: the mounts below go with it.
HIDE = ["unshare", "-m", "sh", "-c", 'umount -l /sys; umount -l /proc; exec "$@"', "sh"]


@pytest.fixture
def network() -> Iterator[Network]:
    with new_network() as new:
        yield new


@pytest.fixture
def client(network: Network, start_agent: StartAgent) -> Client:
    """A connection to an agent in the network."""
    return start_agent(wrapper=network.enter).client(60.0)


def interfaces(client: Client) -> dict[str, dict[str, Any]]:
    """The reply, by name; each is there once and has what it must have."""
    reply = client.call("guest-network-get-interfaces", 60.0)
    rows = {row["name"]: row for row in reply}
    assert len(rows) == len(reply), Counter(row["name"] for row in reply).most_common(3)
    for row in reply:
        assert row.get("ip-addresses") != []
        for address in row.get("ip-addresses", []):
            assert address.keys() == {"ip-address", "ip-address-type", "prefix"}
            text = address["ip-address"]
            version = ipaddress.ip_address(text).version
            assert address["ip-address-type"] == f"ipv{version}"
    return rows


def addresses(row: dict[str, Any]) -> list[str]:
    return [f"{a['ip-address']}/{a['prefix']}" for a in row.get("ip-addresses", [])]


def test_only_lo(network: Network, client: Client) -> None:
    """The loopback is told like any other, with an address of zeros."""
    row = interfaces(client)["lo"]
    assert row["hardware-address"] == "00:00:00:00:00:00"
    assert sorted(addresses(row)) == ["127.0.0.1/8", "::1/128"]
    assert row["statistics"].keys() == STATISTICS


def make_everything(network: Network) -> None:
    network.add("one", "idle", "empty", "a-name-of-15-ch")
    network.ip(
        "link add left type veth peer name right",
        "link set one address 02:0a:f0:ff:01:10",
        "addr add 10.1.0.1/24 dev one",
        "addr add 10.1.0.2/24 dev one label one:1",
        "addr add 10.2.0.3/16 dev one label one:x",
        "addr add 10.1.0.9/24 dev one label one:1",
        "addr add 10.9.0.1 peer 10.9.0.2/32 dev one",
        "addr add 10.9.0.1 peer 10.9.0.3/32 dev one",
        "addr add fd00::1/64 dev one nodad",
        "addr add fd00::ffff:1.2.3.4/128 dev one nodad",
        "addr add fd00:0:0:1:0:0:0:1/128 dev one nodad",
        "addr add ::ffff:10.0.0.1/96 dev one nodad",
        "addr add 192.0.2.1/31 dev idle",
        "addr add 10.3.3.3/0 dev left",
        "addr add fd00:5::1 peer fd00:5::2/127 dev left nodad",
        "link set one up",
        "link set left up",
        "tuntap add mode tun tunnel",
        "addr add 10.1.2.3/32 dev a-name-of-15-ch",
        "addr add 10.1.2.4/32 dev a-name-of-15-ch label a-name-of-15-ch",
    )


def test_as_qemus_agent(network: Network, client: Client) -> None:
    """Everything is told as QEMU's own agent tells it in the same network: aliases, peers,
    interfaces that are down, empty, or without a hardware address."""
    if not REFERENCE.exists():
        pytest.fail(f"{REFERENCE} is missing: scripts/deps test")
    make_everything(network)
    reference = Agent(REFERENCE, wrapper=network.enter)
    try:
        with reference.client() as other:
            expected = interfaces(other)

            def equal() -> bool:
                # Counters move while the kernel announces the addresses.
                nonlocal expected
                expected = interfaces(other)
                ours = interfaces(client)
                return all(
                    ours.get(name, {}).get("statistics") == row.get("statistics")
                    for name, row in expected.items()
                    if "ip-addresses" in row
                )

            wait_until(equal, "the counters are the same", 10.0)
    finally:
        reference.dispose()
    ours = interfaces(client)
    assert ours.keys() == expected.keys()
    assert {"lo", "one", "one:1", "one:x", "idle", "left", "right", "tunnel"} < ours.keys()
    for name, row in expected.items():
        assert ours[name]["hardware-address"] == row["hardware-address"], name
        assert ours[name].get("ip-addresses") == row.get("ip-addresses"), name
    assert addresses(ours["one:1"]) == ["10.1.0.2/24", "10.1.0.9/24"]
    assert ours["tunnel"]["hardware-address"] == "00:00:00:00:00:00"


@pytest.mark.ours
def test_statistics_of_each(network: Network, client: Client) -> None:
    """Each interface has statistics, also without an address, and an alias has none, since they
    would count twice."""
    make_everything(network)
    for name, row in interfaces(client).items():
        assert row.get("statistics", {}).keys() == (set() if ":" in name else STATISTICS), name


def test_statistics_are_the_kernels(network: Network, client: Client) -> None:
    """After traffic in both directions, the counters are those that ip shows."""
    receive = "import socket; s = socket.create_server(('127.0.0.1', 0)); "
    receive += "c = socket.create_connection(s.getsockname()); p, _ = s.accept(); "
    receive += "c.sendall(b'x' * 100000); c.close(); "
    receive += "n = 0\nwhile b := p.recv(65536): n += len(b)\nassert n == 100000"
    network.run(sys.executable, "-c", receive)

    def kernels() -> dict[str, int]:
        counters = network.ask_ip("-s", "link", "show", "lo")[0]["stats64"]
        return {
            f"{way}-{short}": counters[way][long]
            for way in ("rx", "tx")
            for short, long in (
                ("bytes", "bytes"), ("packets", "packets"), ("errs", "errors"),
                ("dropped", "dropped"),
            )
        }  # fmt: skip

    wait_until(lambda: bool(interfaces(client)["lo"]["statistics"] == kernels()), "equal", 5.0)
    assert kernels()["rx-bytes"] > 100000


def test_live(network: Network, client: Client) -> None:
    """Interfaces and addresses come, change their names and go between two requests."""
    assert interfaces(client).keys() == {"lo"}
    network.add("new")
    network.ip("addr add 10.0.0.1/8 dev new")
    assert addresses(interfaces(client)["new"]) == ["10.0.0.1/8"]
    network.ip("addr add 10.0.0.2/8 dev new label new:0", "link set new name newer")
    rows = interfaces(client)
    assert rows.keys() == {"lo", "newer", "newer:0"}
    network.ip("link del newer")
    assert interfaces(client).keys() == {"lo"}


@pytest.mark.ours
def test_without_proc_and_sys(
    network: Network, start_agent: StartAgent, agent_path: Path
) -> None:
    """Neither /proc nor /sys need be mounted, for interfaces or routes."""
    if not is_static(agent_path):
        pytest.skip("sanitizers need /proc")
    make_everything(network)
    with start_agent(wrapper=network.enter).client() as client:
        expected = interfaces(client)
        routes = client.call("guest-network-get-route")
    agent = start_agent(wrapper=[*network.enter, *HIDE])
    # Mounts of its own.
    agent.may_hold_descriptors = True
    with agent.client() as client:
        rows = interfaces(client)
        assert client.call("guest-network-get-route") == routes
    assert len(routes) > 8
    for row in [*rows.values(), *expected.values()]:
        row.pop("statistics", None)
    assert rows == expected


def test_many_addresses(network: Network, client: Client) -> None:
    """Thousands of addresses of one interface, of both versions, all come, each once."""
    network.add("many", "other")
    wanted = [f"10.{n >> 8}.{n & 255}.1/32" for n in range(MANY)]
    wanted += [f"fd00::{n:x}:1/128" for n in range(1, MANY)]
    network.ip(*(f"addr add {address} dev many nodad" for address in wanted if ":" in address))
    network.ip(*(f"addr add {address} dev many" for address in wanted if ":" not in address))
    network.ip("addr add 10.200.0.1/32 dev other")
    rows = interfaces(client)
    assert Counter(addresses(rows["many"])) == Counter(wanted)
    assert addresses(rows["other"]) == ["10.200.0.1/32"]


def test_many_aliases(network: Network, client: Client) -> None:
    """Hundreds of aliases are hundreds of entries, in the time that a client waits."""
    network.add("many")
    network.ip(*(f"addr add 10.0.{n >> 8}.{n & 255}/8 dev many label many:{n % 250}"
                 for n in range(500)))  # fmt: skip
    rows = interfaces(client)
    assert len(rows) == 252 and "ip-addresses" not in rows["many"]
    for n in range(250):
        expected = [f"10.0.{m >> 8}.{m & 255}/8" for m in (n, n + 250)]
        assert addresses(rows[f"many:{n}"]) == expected


def test_many_interfaces(network: Network, client: Client) -> None:
    """Hundreds of interfaces with an address each, some with an index far from the others'."""
    names = [f"i{n}" for n in range(300)]
    network.add(*names)
    network.ip(f"link add far index 1000000 type {network.kind}",
               f"link add farther index 2147483647 type {network.kind}")  # fmt: skip
    network.ip(*(f"addr add 10.0.{n >> 8}.{n & 255}/32 dev i{n}" for n in range(300)))
    began = time.monotonic()
    rows = interfaces(client)
    assert time.monotonic() - began < 5.0
    assert rows.keys() == {"lo", "far", "farther", *names}
    for n in range(300):
        assert addresses(rows[f"i{n}"]) == [f"10.0.{n >> 8}.{n & 255}/32"]


def test_while_addresses_change(network: Network, client: Client) -> None:
    """While others add and remove addresses without pause, those that stay are all told, and
    once."""
    network.add("busy")
    stay = [f"10.{n >> 8}.{n & 255}.1/32" for n in range(0, 600, 2)]
    come = [f"10.{n >> 8}.{n & 255}.1/32" for n in range(1, 600, 2)]
    network.ip(*(f"addr add {address} dev busy" for address in sorted(stay + come)))
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            network.ip(*(f"addr del {address} dev busy" for address in come))
            network.ip(*(f"addr add {address} dev busy" for address in come))

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(60):
            told = Counter(addresses(interfaces(client)["busy"]))
            assert told.most_common(1)[0][1] == 1
            assert not set(stay) - set(told)
            assert set(told) <= set(stay + come)
    finally:
        stop.set()
        worker.join()


# Routes


def dotted(word: str) -> str:
    return str(ipaddress.ip_address(int.from_bytes(bytes.fromhex(word), sys.byteorder)))


def coloned(word: str) -> str:
    return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(word))


def expected_routes(network: Network) -> list[dict[str, Any]]:
    """What the kernel's tables say, by another reader."""
    rows: list[dict[str, Any]] = []
    for line in network.run("cat", "/proc/net/route").splitlines()[1:]:
        iface, to, via, flags, refcnt, use, metric, mask, mtu, window, irtt = line.split()
        rows.append(
            {"iface": iface, "destination": dotted(to), "gateway": dotted(via), "version": 4,
             "flags": int(flags, 16), "refcnt": int(refcnt), "use": int(use),
             "metric": int(metric), "mask": dotted(mask), "mtu": int(mtu),
             "window": int(window), "irtt": int(irtt)}
        )  # fmt: skip
    for line in network.run("cat", "/proc/net/ipv6_route").splitlines():
        to, plen, source, slen, via, metric, refcnt, use, flags, iface = line.split()
        rows.append(
            {"iface": iface, "destination": coloned(to), "source": coloned(source), "version": 6,
             "nexthop": coloned(via), "desprefixlen": str(int(plen, 16)),
             "srcprefixlen": str(int(slen, 16)), "metric": int(metric, 16),
             "refcnt": int(refcnt, 16), "use": int(use, 16), "flags": int(flags, 16)}
        )  # fmt: skip
    return rows


def check_routes(network: Network, client: Client) -> list[dict[str, Any]]:
    """The reply, which is what the kernel's tables say."""
    reply: list[dict[str, Any]] = []

    def equal() -> bool:
        nonlocal reply
        reply = client.call("guest-network-get-route", 60.0)
        return reply == expected_routes(network)

    wait_until(equal, "routes as in /proc/net", 10.0)
    return reply


@pytest.mark.ours
def test_routes(network: Network, client: Client) -> None:
    """Routes of every sort, IPv4 first: gateways, none, metrics, an MTU, unreachable ones."""
    make_everything(network)
    network.ip(
        "route add default via 10.1.0.254 metric 100",
        "route add 10.50.0.0/16 via 10.1.0.77 metric 5 advmss 1400 window 77 rtt 80ms",
        "route add unreachable 10.60.0.0/16 metric 4294967295",
        "route add fd77::/48 via fd00::2 metric 7",
        "route add unreachable fd78::/48",
    )
    reply = check_routes(network, client)
    versions = [row["version"] for row in reply]
    assert versions == sorted(versions) and set(versions) == {4, 6}
    (default,) = [row for row in reply if row["destination"] == "0.0.0.0"
                  and row["metric"] == 100]  # fmt: skip
    assert default["gateway"] == "10.1.0.254" and default["mask"] == "0.0.0.0"
    (through,) = [row for row in reply if row["destination"] == "10.50.0.0"]
    assert through["mtu"] == 1440 and through["window"] == 77 and through["irtt"]
    (sixth,) = [row for row in reply if row["destination"] == "fd77::"]
    assert sixth["nexthop"] == "fd00::2" and sixth["desprefixlen"] == "48"


@pytest.mark.ours
def test_no_routes(start_agent: StartAgent) -> None:
    """Before lo is up there is none of IPv4, which is no error."""
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        pytest.skip("a network namespace needs root")
    with start_agent(wrapper=["unshare", "-n"]).client() as client:
        assert [row["version"] for row in client.call("guest-network-get-route")].count(4) == 0


@pytest.mark.ours
def test_many_routes(network: Network, client: Client, rng: random.Random) -> None:
    """Thousands of routes of both versions."""
    network.add("out")
    network.ip("link set out up", "addr add 10.0.0.1/8 dev out")
    network.ip("addr add fd00::1/16 dev out nodad")
    network.ip(*(f"route add 172.{n >> 8}.{n & 255}.0/24 via 10.1.2.{rng.randrange(256)}"
                 for n in range(MANY)))  # fmt: skip
    network.ip(*(f"route add fc00:{n:x}::/32 via fd00::{rng.randrange(2, 65536):x}"
                 for n in range(1, MANY)))  # fmt: skip
    assert len(check_routes(network, client)) > 2 * MANY


@pytest.mark.ours
@pytest.mark.memory
def test_memory_is_constant(
    network: Network, start_agent: StartAgent, agent_path: Path
) -> None:
    """Neither thousands of addresses nor of routes need memory."""
    if not is_static(agent_path):
        pytest.skip("memory is measured on the static release build, build/tinyqga")
    agent = start_agent(wrapper=network.enter)
    network.add("many")
    with agent.client(60.0) as client:
        for command in ("guest-network-get-interfaces", "guest-network-get-route"):
            client.call(command)
        network.ip("link set many up", "addr add 10.0.0.1/8 dev many")
        network.ip(*(f"addr add 10.{n >> 8}.{n & 255}.1/32 dev many" for n in range(MANY)))
        network.ip(*(f"route add 172.{n >> 8}.{n & 255}.0/24 via 10.1.2.3" for n in range(MANY)))
        reset_peak(agent.pid)
        before = read_kib(agent.pid, "status", "VmHWM")
        for command in ("guest-network-get-interfaces", "guest-network-get-route"):
            assert len(str(client.call(command, 60.0))) > 100000
        assert read_kib(agent.pid, "status", "VmHWM") - before < 256


def test_arguments(client: Client) -> None:
    """They take none."""
    for command in ("guest-network-get-interfaces", "guest-network-get-route"):
        with pytest.raises(AgentError) as caught:
            client.call(command, x=1)
        assert "'x' is unexpected" in caught.value.desc or "not been found" in caught.value.desc
