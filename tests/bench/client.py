"""Builds the programs of the bench and runs its measuring client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "bench"
LOAD = BUILD / "load"
ECHO = BUILD / "echo"
PING = '{"execute": "guest-ping"}'
LIMIT_S = 300
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-s")


class MeasureError(Exception):
    """A measurement that did not come to its end, and why."""


def build() -> None:
    """Compile the client, and the floor as the agent is compiled: static, and with musl if that
    is there."""
    BUILD.mkdir(parents=True, exist_ok=True)
    compiler = "musl-gcc" if shutil.which("musl-gcc") else "gcc"
    sources = [str(HERE / name) for name in ("load.c", "channel.c")]
    subprocess.run(["gcc", *FLAGS, "-o", str(LOAD), *sources], check=True)
    subprocess.run(
        [compiler, *FLAGS, "-static", "-o", str(ECHO), str(HERE / "echo.c")], check=True
    )


def command(mode: str, *arguments: str | int | Path, verify: bool = False) -> list[str]:
    """The command line of one measurement."""
    options = ["-v"] if verify else []
    return [str(LOAD), *options, mode, *map(str, arguments)]


def load(mode: str, *arguments: str | int | Path, verify: bool = False) -> dict[str, float]:
    """One measurement: what the client prints."""
    done = subprocess.run(
        command(mode, *arguments, verify=verify),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LIMIT_S,
        env={"PATH": os.environ.get("PATH", "")},
    )
    if done.returncode:
        raise MeasureError(f"{mode}: {done.stderr.strip()}")
    numbers: dict[str, float] = json.loads(done.stdout)
    return numbers
