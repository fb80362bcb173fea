"""QEMU's agent 7.2 beside ours on this machine: the same questions, and the same replies.

Where they may differ says tests/differences.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_process import Agent
from beside import QUESTIONS, Beside
from differences import MACHINE

PEER = "/usr/sbin/qemu-ga"


@pytest.fixture(scope="module")
def beside(agent_path: Path) -> Iterator[Beside]:
    peer_path = shutil.which(PEER)
    if peer_path is None:
        pytest.skip(f"this machine has no {PEER}")
    ours, peer = Agent(agent_path), Agent(Path(peer_path))
    try:
        with ours.client() as client, peer.client() as other:
            yield Beside(client, other, MACHINE)
    finally:
        peer.dispose()
        ours.dispose()


@pytest.mark.parametrize("question", QUESTIONS)
def test_same_reply(beside: Beside, question: str) -> None:
    """The same members, of the same types and values, in the same order."""
    beside.check(question)


@pytest.mark.ours
def test_list_of_differences_is_up_to_date(beside: Beside) -> None:
    """What it says to differ still does."""
    beside.check_list()
