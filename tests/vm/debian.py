"""A Debian guest that has one of everything: disks of each kind, networks, processors, memory."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from qga import Client

from vm.guest import shell
from vm.rig import AGENT, ROOT, VM, VMError, make_initramfs

IMAGE = ROOT / "build" / "debian.img"
BOOT_LIMIT_S = 240.0
PREPARE_LIMIT_S = 300.0
SYNC_LIMIT_S = 5.0
PEER_PORT = "org.tinyqga.peer"

CONTROLLERS = (
    "pcie-root-port,id=behind,chassis=1,addr=0e.0",
    "virtio-scsi-pci,id=scsi",
    "lsi53c895a,id=lsi",
    "piix3-ide,id=ide2",
    "qemu-xhci,id=usb",
    "sdhci-pci,id=sdhci",
)

# What the guest has beside its root: which disk of scripts/mkdebian, and what QEMU makes of it.
DISKS = (
    ("parted", "virtio-blk-pci,serial=PARTED-1"),
    ("empty", "virtio-blk-pci,bus=behind"),
    ("xfs", "scsi-hd,bus=scsi.0,scsi-id=2,lun=1,serial=SCSI-1"),
    ("empty", "scsi-hd,bus=lsi.0,scsi-id=3,serial=LSI-1"),
    ("btrfs", "ide-hd,bus=ide.2,serial=SATA-1"),
    ("ext4", "ide-hd,bus=ide2.1,serial=IDE-1"),
    ("ext4", "nvme,serial=NVME-1"),
    ("empty", "usb-storage,bus=usb.0,serial=USB-1"),
    ("ext4", "sd-card"),
)
EMPTY_BYTES = 512 << 20

PREPARE = Path(__file__).with_name("prepare-debian")


def ensure_image() -> Path:
    """Make the guest's disk, if it is not there."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "mkdebian"), "-o", str(IMAGE)], capture_output=True, text=True
    )
    if done.returncode:
        raise VMError(f"mkdebian failed: {done.stderr}")
    return IMAGE


class DebianVM(VM):
    """The guest, with our agent on the usual port and another port for its peer.

    arguments: of our agent. disks, controllers: what it has. reboot: it may boot again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        agent: Path | None = None,
        arguments: str = "",
        cpus: int = 4,
        disks: tuple[tuple[str, str], ...] = DISKS,
        controllers: tuple[str, ...] = CONTROLLERS,
        reboot: bool = False,
    ) -> None:
        image = ensure_image()
        options = ["--kernel", "generic", "--module", "virtio_blk", "--module", "ext4"]
        if arguments:
            options += ["--agent-args", arguments]
        initramfs = make_initramfs(
            folder / "initramfs.gz", *options, "--init", "root", agent=agent or AGENT
        )
        peer = folder / "peer.sock"
        qemu = [
            "-drive", f"file={image},if=none,id=root,snapshot=on,format=raw",
            "-device", "virtio-blk-pci,drive=root,addr=3",
            "-m", "slots=2,maxmem=4G",
            "-object", "memory-backend-ram,id=dimm,size=128M",
            "-device", "pc-dimm,memdev=dimm",
            "-device", "i6300esb",
            "-device", "ide-cd,bus=ide.3",
            "-chardev", f"socket,id=peer,path={peer},server=on,wait=off",
            "-device", f"virtserialport,bus=vser.0,id=peerport,chardev=peer,name={PEER_PORT}",
        ]  # fmt: skip
        for controller in controllers:
            qemu += ["-device", controller]
        empty = folder / "empty.img"
        with empty.open("wb") as file:
            file.truncate(EMPTY_BYTES)
        for number, (name, device) in enumerate(disks):
            path = empty if name == "empty" else image.with_name(f"debian-{name}.img")
            drive = f"file={path},if=none,id=disk{number},format=raw,snapshot=on,discard=unmap"
            qemu += ["-drive", drive, "-device", f"{device},drive=disk{number}"]
        for number in range(3):
            qemu += ["-netdev", f"hubport,id=net{number},hubid={number}"]
            qemu += ["-device", f"virtio-net-pci,netdev=net{number},mac=52:54:00:00:00:0{number}"]
        super().__init__(
            initramfs,
            memory_mib=1024,
            cpus=cpus,
            options=("--kernel", "generic", *(("--allow-reboot",) if reboot else ())),
            qemu=tuple(qemu),
            boot_limit_s=BOOT_LIMIT_S,
            folder=folder,
        )
        self.peer_path = str(peer)

    def _client(self, path: str, timeout_s: float, sync: bool) -> Client:
        """The one connection to a channel. With several processors, the first answer to a client
        that comes right behind another may be taken for that one's; and what an agent had read
        when it was killed is lost."""
        client = self.clients.get(path) or super()._client(path, timeout_s, False)
        deadline = time.monotonic() + timeout_s
        while sync:
            try:
                client.sync(SYNC_LIMIT_S)
                break
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise VMError(f"no agent at {path} in {timeout_s} s\n{self.tail()}") from None
        client.timeout_s = timeout_s
        return client

    def wait_agent(self, timeout_s: float = BOOT_LIMIT_S, path: str | None = None) -> float:
        started = time.monotonic()
        self._client(path or self.socket_path, timeout_s, True)
        return time.monotonic() - started

    def prepare(self) -> None:
        """Mount the disks, and give the networks addresses."""
        shell(self.agent(60.0), PREPARE.read_text(), timeout_s=PREPARE_LIMIT_S)

    def start_peer(self) -> None:
        """Start QEMU's agent on its own port, and wait until it answers."""
        shell(
            self.agent(60.0),
            "mkdir -p /run/peer && exec systemd-run -q /usr/sbin/qemu-ga"
            f" -p /dev/virtio-ports/{PEER_PORT} -t /run/peer -f /run/peer/pid",
            timeout_s=60.0,
        )
        self.wait_agent(60.0, self.peer_path)

    def peer(self, timeout_s: float = 30.0) -> Client:
        """The connection to QEMU's agent in the guest."""
        return self._client(self.peer_path, timeout_s, True)
