"""The clock of a guest and its RTC, which guest-set-time sets from each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from qga import AgentError, Client

from vm.guest import shell

TIME_S = 1_900_000_000  # in 2030
DRIVER = "/sys/bus/pnp/drivers/rtc_cmos"


@pytest.fixture(autouse=True)
def _undo(client: Client) -> Iterator[None]:
    """Leave the guest's clock as it was, its RTC in UTC and with its node."""
    before = client.call("guest-get-time")
    yield
    shell(client, "rm -f /etc/adjtime /etc/TZ; [ -e /dev/rtc0 ] || "
                  "mknod /dev/rtc0 c $(tr : ' ' < /sys/class/rtc/rtc0/dev)")
    client.call("guest-set-time", time=before)


def now_s(client: Client) -> float:
    return float(client.call("guest-get-time")) / 1e9


def rtc_s(client: Client) -> int:
    """What the RTC shows, taken for UTC."""
    return int(shell(client, "cat /sys/class/rtc/rtc0/since_epoch"))


def set_clock_alone(client: Client, seconds: int) -> None:
    shell(client, f"date -u -s @{seconds}")


@pytest.mark.parametrize("node", [True, False], ids=["node", "no node"])
def test_set(client: Client, node: bool) -> None:
    """A given time becomes the system's and the RTC's, also where /dev has no node for that."""
    if not node:
        shell(client, "rm -f /dev/rtc /dev/rtc0")
    for seconds in (TIME_S, 951_782_399, 1, 3_155_759_990):
        # The kernel takes no time before its own start, which is a minute ago at most.
        seconds = max(seconds, 100_000)
        assert client.call("guest-set-time", time=seconds * 10**9 + 250_000_000) == {}
        assert seconds + 0.25 <= now_s(client) < seconds + 8
        assert seconds <= rtc_s(client) < seconds + 8


@pytest.mark.parametrize("node", [True, False], ids=["node", "no node"])
def test_read(client: Client, node: bool) -> None:
    """Without a time the RTC's becomes the system's, at the change of a second."""
    client.call("guest-set-time", time=TIME_S * 10**9)
    set_clock_alone(client, TIME_S - 1_000_000)
    if not node:
        shell(client, "rm -f /dev/rtc /dev/rtc0")
    assert client.call("guest-set-time") == {}
    found = now_s(client)
    assert TIME_S < found < TIME_S + 20
    assert abs(found - rtc_s(client)) < 1.2


def test_local_time(client: Client) -> None:
    """An RTC that /etc/adjtime says to be in local time is written and read in it."""
    shell(client, "printf '0.0 0 0.0\\n0\\nLOCAL\\n' > /etc/adjtime; echo 'XYZ-5:30' > /etc/TZ")
    client.call("guest-set-time", time=TIME_S * 10**9)
    assert TIME_S + 19_800 <= rtc_s(client) < TIME_S + 19_808
    set_clock_alone(client, TIME_S - 1_000_000)
    client.call("guest-set-time")
    assert TIME_S < now_s(client) < TIME_S + 20


def test_no_rtc(client: Client) -> None:
    """Without an RTC a given time is set all the same, and reading one is an error."""
    device = shell(client, "basename $(readlink -f /sys/class/rtc/rtc0/device)").strip()
    shell(client, f"echo {device} > {DRIVER}/unbind")
    try:
        assert client.call("guest-set-time", time=TIME_S * 10**9) == {}
        assert TIME_S <= now_s(client) < TIME_S + 8
        with pytest.raises(AgentError) as caught:
            client.call("guest-set-time")
        assert caught.value.desc == "failed to read hardware clock: No such device"
    finally:
        shell(client, f"echo {device} > {DRIVER}/bind")


def test_refused(client: Client) -> None:
    """A year out of range is refused, and what the kernel refuses is an error with its reason."""
    before = now_s(client)
    for time_ns in (-1, 3_155_760_000 * 10**9, 2**63 - 1):
        with pytest.raises(AgentError) as caught:
            client.call("guest-set-time", time=time_ns)
        assert caught.value.desc == f"Invalid time {time_ns}"
    with pytest.raises(AgentError) as caught:
        client.call("guest-set-time", time=0)
    assert caught.value.desc == "Failed to set time to guest: Invalid argument"
    assert before <= now_s(client) < before + 8
