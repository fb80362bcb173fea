"""Small filesystems of a test's own, in images on loop devices, seen by the test's agents alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from pathlib import Path

import pytest

FIFREEZE = 0xC0045877
FITHAW = 0xC0045878
IMAGE_BYTES = 8 << 20


class Disks:
    """A mount namespace, with what was mounted in it.

    Only what stands here may ever be frozen: a test names its mount points, for the table of
    mounts holds the machine's own filesystems, too.
    """

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("a mount namespace needs root")
        self.folder = folder
        self.roots: list[int] = []  # what is mounted, open, wherever it is hidden later
        self.holder = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "/bin/sh", "-c", "echo; read end"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.holder.stdout
        self.holder.stdout.readline()

    @property
    def wrapper(self) -> list[str]:
        """The words before a command that run it, as the same process, in the namespace."""
        process = f"/proc/{self.holder.pid}"
        return ["nsenter", f"--mount={process}/ns/mnt", f"--root={process}/root", "--"]

    def run(self, *command: str) -> None:
        subprocess.run([*self.wrapper, *command], check=True, timeout=60)

    def make_image(self, path: Path, size_bytes: int = IMAGE_BYTES) -> Path:
        """A file with an empty ext4 in it; path may be one of inside()."""
        with path.open("wb") as file:
            file.truncate(size_bytes)
        # Without this feature nothing is left to be done in the background.
        subprocess.run(
            ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(path)],
            check=True, timeout=60,
        )
        return path

    def mount(self, name: str, image: Path | None = None) -> Path:
        """Mount an image (a new one, if none is given) on a new folder of that name."""
        point = self.folder / name
        point.mkdir(parents=True, exist_ok=True)
        if image is None:
            image = self.make_image(self.folder / f"image{len(self.roots)}")
        self.run("mount", "-o", "loop", str(image), str(point))
        self.roots.append(os.open(self.inside(point), os.O_RDONLY))
        return point

    def inside(self, path: Path) -> Path:
        """The path by which we, from outside, see a path of the namespace."""
        return Path(f"/proc/{self.holder.pid}/root{path}")

    def ioctl(self, point: Path, request: int) -> None:
        file = os.open(self.inside(point), os.O_RDONLY)
        try:
            fcntl.ioctl(file, request, 0)
        finally:
            os.close(file)

    def thaw(self) -> None:
        """Thaw whatever a test may have left frozen."""
        for root in self.roots:
            with contextlib.suppress(OSError):
                while True:
                    fcntl.ioctl(root, FITHAW, 0)

    def close(self) -> None:
        """Thaw everything, or it would stay as it is without being mounted, and unmount it."""
        self.thaw()
        for root in self.roots:
            os.close(root)
        self.holder.communicate()
