"""Fixtures of the wire tests: agents to talk to, each on its own unix socket.

/usr/bin/python3 -m pytest tests/wire                                   the release
/usr/bin/python3 -m pytest tests/wire --agent=build/asan/tinyqga        the sanitizer build
/usr/bin/python3 -m pytest tests/wire --agent=/usr/sbin/qemu-ga         are the tests sane?
/usr/bin/python3 -m pytest tests/wire/test_framing.py --seed=12345      other random input
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from agent_process import Agent, new_folder  # noqa: E402


class StartAgent(Protocol):
    """The type of the fixture start_agent: the arguments are those of Agent."""

    def __call__(
        self,
        *args: str,
        folder: Path | None = None,
        env: dict[str, str] | None = None,
        cwd: str | Path | None = None,
        bare: bool = False,
        wrapper: Sequence[str] = (),
        wait: bool = True,
    ) -> Agent: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--agent",
        default=str(ROOT / "build/tinyqga"),
        help="the agent to test (default: build/tinyqga)",
    )
    parser.addoption(
        "--seed",
        default="0",
        help="another seed for random input: tests other input than usual (default: 0)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "ours: behaviour in which QEMU's own agent differs; skipped against it"
    )
    config.addinivalue_line(
        "markers", "memory: the agent's own memory; skipped unless --agent is a static build"
    )


@pytest.fixture(scope="session")
def agent_path(pytestconfig: pytest.Config) -> Path:
    """The agent's file."""
    path = Path(pytestconfig.getoption("--agent")).resolve()
    if not path.is_file():
        pytest.exit(f"there is no agent at {path}: build it, or name one with --agent", 2)
    return path


@pytest.fixture
def rng(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of the test's own, the same in every run unless --seed says otherwise."""
    return random.Random(f"{pytestconfig.getoption('--seed')} {request.node.name}")


@pytest.fixture(autouse=True)
def _skip_against_reference(request: pytest.FixtureRequest, agent_path: Path) -> None:
    if agent_path.name == "qemu-ga" and request.node.get_closest_marker("ours"):
        pytest.skip("QEMU's own agent differs here on purpose")


@pytest.fixture
def start_agent(agent_path: Path) -> Iterator[StartAgent]:
    """A function that starts agents with further arguments; each is checked after the test.

    To start one over the state of another, stop that and pass its folder.
    """
    started: list[Agent] = []

    def start(
        *args: str,
        folder: Path | None = None,
        env: dict[str, str] | None = None,
        cwd: str | Path | None = None,
        bare: bool = False,
        wrapper: Sequence[str] = (),
        wait: bool = True,
    ) -> Agent:
        new = Agent(
            agent_path,
            *args,
            folder=folder,
            env=env,
            cwd=cwd,
            bare=bare,
            wrapper=wrapper,
            wait=wait,
        )
        started.append(new)
        return new

    try:
        yield start
        for agent in started:
            agent.check()
    finally:
        for agent in reversed(started):
            agent.dispose()


@pytest.fixture
def agent(start_agent: StartAgent) -> Agent:
    """A fresh agent that answers."""
    return start_agent()


@pytest.fixture(scope="module")
def shared_agent(agent_path: Path) -> Iterator[Agent]:
    """One agent for all tests of a file. It serves one client at a time: close yours."""
    shared = Agent(agent_path)
    try:
        yield shared
        shared.check()
    finally:
        shared.dispose()


@pytest.fixture(autouse=True)
def _check_shared_agent(request: pytest.FixtureRequest) -> Iterator[None]:
    """Name the test that killed the shared agent, not the one after it."""
    if "shared_agent" not in request.fixturenames:
        yield
        return
    shared: Agent = request.getfixturevalue("shared_agent")
    yield
    shared.check_quick()


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A folder whose path leaves room for socket names, which tmp_path's may not."""
    folder = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
