"""The processor commands: which there are, switching them, their times and the load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_process import Agent, wait_until
from conftest import StartAgent
from namespace import in_namespace
from qga import AgentError, Client

FOLDER = Path("/sys/devices/system/cpu")
TICK_MS = 10
TIMES = "user nice system idle iowait irq softirq steal guest guestnice".split()


@pytest.fixture
def client(shared_agent: Agent) -> Iterator[Client]:
    """A connection to the agent that all tests here share, unless they need one of their own."""
    with shared_agent.client() as connection:
        yield connection


def error_of(client: Client, command: str, **arguments: Any) -> str:
    with pytest.raises(AgentError) as caught:
        client.call(command, **arguments)
    assert caught.value.error_class == "GenericError"
    return caught.value.desc


def in_sysfs(folder: Path) -> list[dict[str, Any]]:
    """The processors as a folder like sysfs's has them."""
    rows = []
    for entry in folder.iterdir():
        if re.fullmatch(r"cpu[0-9]+", entry.name):
            file = entry / "online"
            online = file.read_text().startswith("1") if file.exists() else True
            rows.append(
                {"logical-id": int(entry.name[3:]), "online": online, "can-offline": file.exists()}
            )
    return sorted(rows, key=lambda row: int(row["logical-id"]))


def test_this_machine(client: Client) -> None:
    """All processors of this machine, as sysfs has them."""
    rows = client.call("guest-get-vcpus")
    assert sorted(rows, key=lambda row: int(row["logical-id"])) == in_sysfs(FOLDER)


class FakeProcessors:
    """An agent before a folder that is like sysfs's, with processors as we want them."""

    def __init__(
        self, start_agent: StartAgent, folder: Path, states: dict[int, str | None]
    ) -> None:
        self.folder = folder
        folder.mkdir()
        for number, state in states.items():
            (folder / f"cpu{number}").mkdir()
            if state is not None:
                self.file(number).write_text(state)
        for name in ("cpufreq", "cpuidle", "cpu", "cpu1x", "xcpu7"):
            (folder / name).mkdir()
        (folder / "online").write_text("0-1\n")
        self.client = start_agent(wrapper=in_namespace({folder: str(FOLDER)})).client()

    def file(self, number: int) -> Path:
        return self.folder / f"cpu{number}" / "online"

    def set(self, *changes: tuple[int, bool]) -> Any:
        vcpus = [{"logical-id": number, "online": online} for number, online in changes]
        return self.client.call("guest-set-vcpus", vcpus=vcpus)


@pytest.mark.ours
def test_many_processors(start_agent: StartAgent, tmp_path: Path) -> None:
    """Thousands of processors, with gaps, come in the order of their numbers, none is dropped."""
    numbers = [*range(3000), 8191, 65536, 1000000, 4294967296]
    fake = FakeProcessors(
        start_agent, tmp_path / "cpu", {n: None if n == 0 else f"{n % 3 and 1}\n" for n in numbers}
    )
    rows = fake.client.call("guest-get-vcpus")
    assert rows == in_sysfs(fake.folder)
    assert [row["logical-id"] for row in rows] == numbers


@pytest.mark.ours
def test_set_each(start_agent: StartAgent, tmp_path: Path) -> None:
    """Each of the list is switched, in its order, what is so already and the one that cannot be
    switched count as done."""
    fake = FakeProcessors(
        start_agent, tmp_path / "cpu", {4000: None, 4001: "1\n", 4002: "0\n", 4003: "1\n"}
    )
    assert fake.set() == 0
    assert fake.set((4000, True), (4001, True), (4002, False)) == 3
    assert [fake.file(4001).read_text(), fake.file(4002).read_text()] == ["1\n", "0\n"]
    assert fake.set((4001, False), (4002, True), (4001, True), (4001, False)) == 4
    assert [fake.file(n).read_text() for n in (4001, 4002, 4003)] == ["0\n", "1\n", "1\n"]
    assert fake.client.call("guest-get-vcpus") == in_sysfs(fake.folder)


@pytest.mark.ours
def test_set_up_to_an_error(start_agent: StartAgent, tmp_path: Path) -> None:
    """What fails ends the list: those before it count, those behind it stay as they are. Only if
    it is the first there is an error."""
    fake = FakeProcessors(start_agent, tmp_path / "cpu", {4000: None, 4001: "1\n", 4002: "1\n"})
    assert fake.set((4001, False), (4000, False), (4002, False)) == 1
    assert fake.set((4001, True), (4002, False), (4242, True), (4002, True)) == 2
    assert [fake.file(4001).read_text(), fake.file(4002).read_text()] == ["1\n", "0\n"]
    with pytest.raises(AgentError) as caught:
        fake.set((4000, False), (4001, False))
    assert caught.value.desc == "logical processor #4000 can't be offlined"
    assert fake.file(4001).read_text() == "1\n"


def test_set_nothing(client: Client) -> None:
    """An empty list is done at once."""
    assert client.call("guest-set-vcpus", vcpus=[]) == 0


def test_set_as_it_is(client: Client) -> None:
    """A state that holds already is set with success, on any machine."""
    rows = client.call("guest-get-vcpus")
    assert client.call("guest-set-vcpus", vcpus=rows) == len(rows)
    for row in rows:
        row.pop("can-offline")
    assert client.call("guest-set-vcpus", vcpus=rows * 50) == 50 * len(rows)
    assert in_sysfs(FOLDER) == sorted(
        client.call("guest-get-vcpus"), key=lambda row: int(row["logical-id"])
    )


@pytest.mark.parametrize("number", [4242, -1, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("online", [True, False])
def test_set_unknown(client: Client, number: int, online: bool) -> None:
    """A processor that is not there is named by its folder."""
    vcpus = [{"logical-id": number, "online": online}]
    assert error_of(client, "guest-set-vcpus", vcpus=vcpus) == (
        f'open("{FOLDER}/cpu{number}/"): No such file or directory'
    )


def test_set_what_cannot_be(client: Client) -> None:
    """A processor without a switch cannot be offlined, where this machine has one."""
    fixed = [row for row in client.call("guest-get-vcpus") if not row["can-offline"]]
    for row in fixed[:1]:
        row["online"] = False
        assert error_of(client, "guest-set-vcpus", vcpus=[row]) == (
            f"logical processor #{row['logical-id']} can't be offlined"
        )


@pytest.mark.parametrize(
    "vcpus, desc",
    [
        (None, "Parameter 'vcpus' is missing"),
        (1, "Invalid parameter type for 'vcpus', expected: array"),
        ([1], "Invalid parameter type for 'vcpus[0]', expected: object"),
        ([{"online": True}], "Parameter 'vcpus[0].logical-id' is missing"),
        ([{"logical-id": 0}], "Parameter 'vcpus[0].online' is missing"),
        (
            [{"logical-id": "0", "online": True}],
            "Invalid parameter type for 'vcpus[0].logical-id', expected: integer",
        ),
        (
            [{"logical-id": 0, "online": True}, {"logical-id": 0, "online": 1}],
            "Invalid parameter type for 'vcpus[1].online', expected: boolean",
        ),
        ([{"logical-id": 0, "online": True, "x": 1}], "Parameter 'vcpus[0].x' is unexpected"),
    ],
)
def test_bad_arguments(client: Client, vcpus: Any, desc: str) -> None:
    """Bad lists are refused with the place of what is wrong, before anything is done."""
    arguments = {} if vcpus is None else {"vcpus": vcpus}
    assert error_of(client, "guest-set-vcpus", **arguments) == desc


# Times and load


def kernels_times() -> dict[int, dict[str, int]]:
    rows = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *figures = line.split()
        if re.fullmatch("cpu[0-9]+", name):
            times = [int(figure) * TICK_MS for figure in figures]
            rows[int(name[3:])] = dict(zip(TIMES, times))
    return rows


def test_times(client: Client) -> None:
    """Each processor's times are those of /proc/stat in milliseconds, read at the same time."""
    before = kernels_times()
    rows = client.call("guest-get-cpustats")
    after = kernels_times()
    assert [row["cpu"] for row in rows] == [*before]
    for row in rows:
        assert row.pop("type") == "linux"
        cpu = row.pop("cpu")
        assert row.keys() == before[cpu].keys()
        for name, value in row.items():
            # Those of idleness may step back a little.
            assert before[cpu][name] - TICK_MS <= value <= after[cpu][name] + TICK_MS, name


@pytest.mark.ours
def test_times_are_many(start_agent: StartAgent, tmp_path: Path) -> None:
    """Thousands of processors, a line of interrupts longer than any buffer, and a kernel that has
    fewer figures."""
    lines = ["cpu 1 2 3 4 5 6 7 8 9 10"]
    lines += [f"cpu{n} {n} 2 3 4 5 6 7" for n in range(4000)]
    lines += ["intr " + "1 " * 200000, "ctxt 5", "cpu9999 1 2 3", "cpu10000 1 2 3 4", "procs 1"]
    stat = tmp_path / "stat"
    stat.write_text("\n".join(lines) + "\n")
    with start_agent(wrapper=in_namespace({stat: "/proc/stat"})).client() as client:
        rows = client.call("guest-get-cpustats")
    names = TIMES[:7]
    assert rows[:-1] == [
        {"type": "linux", "cpu": n, **dict(zip(names, [n * 10, 20, 30, 40, 50, 60, 70]))}
        for n in range(4000)
    ]
    assert rows[-1] == {"type": "linux", "cpu": 10000, **dict(zip(TIMES[:4], [10, 20, 30, 40]))}


@pytest.mark.ours
def test_load(client: Client) -> None:
    """The load averages are those of /proc/loadavg, to the digit."""

    def equal() -> bool:
        reply = client.call("guest-get-load")
        assert reply.keys() == {"load1m", "load5m", "load15m"}
        figures = [float(word) for word in Path("/proc/loadavg").read_text().split()[:3]]
        return [*reply.values()] == figures

    # They may change between the two.
    wait_until(equal, "the load of /proc/loadavg", 10.0)


def test_no_arguments(client: Client) -> None:
    """The commands that only tell take none."""
    for command in ("guest-get-vcpus", "guest-get-cpustats"):
        assert error_of(client, command, x=1) == "Parameter 'x' is unexpected"
