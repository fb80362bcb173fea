"""The memory commands: the blocks of memory, and switching them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_process import Agent
from conftest import StartAgent
from namespace import in_namespace
from qga import AgentError, Client

FOLDER = Path("/sys/devices/system/memory")


@pytest.fixture
def client(shared_agent: Agent) -> Iterator[Client]:
    """A connection to the agent that all tests here share, unless they need one of their own."""
    with shared_agent.client() as connection:
        yield connection


def by_number(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: int(row["phys-index"]))


def in_sysfs(folder: Path) -> list[dict[str, Any]]:
    """The blocks as a folder like sysfs's has them."""
    rows = []
    for entry in folder.iterdir() if folder.exists() else ():
        if not re.fullmatch(r"memory[0-9]+", entry.name):
            continue
        state, removable = entry / "state", entry / "removable"
        rows.append(
            {
                "phys-index": int(entry.name[6:]),
                "online": not state.exists() or state.read_text().startswith("online"),
                "can-offline": state.exists()
                and removable.exists()
                and not removable.read_text().startswith("0"),
            }
        )
    return by_number(rows)


def test_this_machine(client: Client) -> None:
    """All blocks of this machine and their size, as sysfs has them; none is an empty list, and
    then their size is an error."""
    assert by_number(client.call("guest-get-memory-blocks")) == in_sysfs(FOLDER)
    size = FOLDER / "block_size_bytes"
    if size.exists():
        info = client.call("guest-get-memory-block-info")
        assert info == {"size": int(size.read_text(), 16)}
        return
    with pytest.raises(AgentError) as caught:
        client.call("guest-get-memory-block-info")
    assert caught.value.desc == f'open("{FOLDER}/"): No such file or directory'


class FakeMemory:
    """An agent before a folder that is like sysfs's, with blocks as we want them: the texts of
    their files state and removable, None where there is none."""

    def __init__(
        self,
        start_agent: StartAgent,
        folder: Path,
        blocks: dict[int, tuple[str | None, str | None]],
    ) -> None:
        self.folder = folder
        folder.mkdir()
        for number, texts in blocks.items():
            (folder / f"memory{number}").mkdir()
            for name, text in zip(("state", "removable"), texts):
                if text is not None:
                    (folder / f"memory{number}" / name).write_text(text)
        (folder / "block_size_bytes").write_text("ff8000000\n")
        (folder / "memoryx").mkdir()
        self.client = start_agent(wrapper=in_namespace({folder: str(FOLDER)})).client()

    def state(self, number: int) -> str:
        return (self.folder / f"memory{number}" / "state").read_text()

    def set(self, *changes: tuple[int, bool]) -> Any:
        blocks = [{"phys-index": number, "online": online} for number, online in changes]
        return self.client.call("guest-set-memory-blocks", mem_blks=blocks)


@pytest.mark.ours
def test_blocks_of_every_kind(start_agent: StartAgent, tmp_path: Path) -> None:
    """Blocks come in the order of their numbers, with gaps and far apart; states between online
    and offline are not online; without its files a block is online and stays so."""
    blocks: dict[int, tuple[str | None, str | None]] = {
        n: ("online\n" if n % 3 else "offline\n", f"{n % 2}\n") for n in range(90000, 92000)
    }
    blocks[100000] = ("going-offline\n", "1\n")
    blocks[10000000] = ("online\n", None)
    blocks[2**40] = (None, "1\n")
    fake = FakeMemory(start_agent, tmp_path / "memory", blocks)
    rows = fake.client.call("guest-get-memory-blocks")
    assert rows == in_sysfs(fake.folder)
    assert [row["phys-index"] for row in rows] == [*blocks]
    assert fake.client.call("guest-get-memory-block-info") == {"size": 0xFF8000000}


@pytest.mark.ours
def test_set_each(start_agent: StartAgent, tmp_path: Path) -> None:
    """Each block of the list has its answer, whatever became of those before it."""
    fake = FakeMemory(
        start_agent,
        tmp_path / "memory",
        {
            90000: ("online", "1"),
            90001: ("offline", "1"),
            90002: ("online", "1"),
            90003: (None, None),
        },
    )
    (fake.folder / "memory90004").mkdir()
    (fake.folder / "memory90004/state").symlink_to("/dev/full")
    (fake.folder / "memory90005/state").mkdir(parents=True)
    assert fake.set() == []
    reply = fake.set(
        (90000, False), (90001, True), (90002, True), (90003, False), (90003, True), (90009, True),
        (90004, True), (90005, True), (90000, True), (2**64 - 1, True), (90000, False),
    )  # fmt: skip
    done = {"response": "success"}
    missing = {"response": "not-found", "error-code": 2}
    results: list[dict[str, Any]] = [
        done, done, done, {"response": "operation-not-supported", "error-code": 2}, done, missing,
        {"response": "operation-failed", "error-code": 28},
        {"response": "operation-failed", "error-code": 21}, done, missing, done,
    ]  # fmt: skip
    numbers = [90000, 90001, 90002, 90003, 90003, 90009, 90004, 90005, 90000, 2**64 - 1, 90000]
    assert reply == [{"phys-index": n, **result} for n, result in zip(numbers, results)]
    assert [fake.state(n) for n in (90000, 90001, 90002)] == ["offline", "onlinee", "online"]


def test_set_as_it_is(client: Client) -> None:
    """States that hold already are set with success, on any machine."""
    rows = client.call("guest-get-memory-blocks")
    reply = client.call("guest-set-memory-blocks", mem_blks=rows)
    assert reply == [{"phys-index": row["phys-index"], "response": "success"} for row in rows]


def test_set_unknown(client: Client) -> None:
    """A block that is not there is not found; where there are none at all, nothing can be set."""
    response = "not-found" if FOLDER.exists() else "operation-not-supported"
    for number in (99999, 2**63, 2**64 - 1):
        for online in (True, False):
            blocks = [{"phys-index": number, "online": online}]
            assert client.call("guest-set-memory-blocks", mem_blks=blocks) == [
                {"phys-index": number, "response": response, "error-code": 2}
            ]
    assert client.call("guest-set-memory-blocks", mem_blks=[]) == []


@pytest.mark.parametrize(
    "blocks, desc",
    [
        ([{"online": True}], "Parameter 'mem-blks[0].phys-index' is missing"),
        ([{"phys-index": 0}], "Parameter 'mem-blks[0].online' is missing"),
        pytest.param(
            [{"phys-index": -1, "online": True}],
            "Parameter 'mem-blks[0].phys-index' expects uint64",
            marks=pytest.mark.ours,
        ),
        (
            [{"phys-index": "0", "online": True}],
            "Parameter 'mem-blks[0].phys-index' expects uint64",
        ),
        (
            [{"phys-index": 0, "online": True, "can-offline": 1}],
            "Invalid parameter type for 'mem-blks[0].can-offline', expected: boolean",
        ),
        ({}, "Invalid parameter type for 'mem-blks', expected: array"),
    ],
)
def test_bad_arguments(client: Client, blocks: Any, desc: str) -> None:
    """Bad lists are refused with the place of what is wrong."""
    with pytest.raises(AgentError) as caught:
        client.call("guest-set-memory-blocks", mem_blks=blocks)
    assert caught.value.desc == desc
