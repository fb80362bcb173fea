"""Files of ours in the place of the machine's, for one command alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def in_namespace(binds: dict[Path, str]) -> list[str]:
    """The words before a command that runs it, in the same process, with each of our files and
    folders mounted over one of the machine's, in their order."""
    if os.geteuid() != 0:
        pytest.skip("a mount namespace needs root")
    mounts = "".join(f"mount --rbind '{source}' '{at}' && " for source, at in binds.items())
    return ["unshare", "-m", "/bin/sh", "-c", f'{mounts}exec "$@"', "sh"]
