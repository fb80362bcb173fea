"""Connecting to, and ending, an agent that was started by other means than the fixtures."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from agent_process import PATIENCE_S, wait_until
from qga import Client


def connect(path: Path | str) -> Client:
    """A client of the agent that listens at path, or soon will."""
    found: list[Client] = []

    def answers() -> bool:
        try:
            found.append(Client(str(path), PATIENCE_S))
        except (FileNotFoundError, ConnectionError):
            return False
        return True

    wait_until(answers, f"an agent answers at {path}")
    return found[0]


def end_process(process: subprocess.Popen[Any]) -> int:
    """End an agent by SIGTERM, or by force where that does not help. Returns its status."""
    process.terminate()
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
