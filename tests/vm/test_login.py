"""A password that the agent sets is the one that a login asks for."""

from __future__ import annotations

import base64

import pytest
from qga import Client

from vm.guest import shell

SU = "/tmp/su"


def hash_of(client: Client, password: str, method: str) -> str:
    return shell(client, f"mkpasswd -m {method} {password} saltsalt").strip()


def logs_in(client: Client, password: str) -> bool:
    """Does bob become root by su with this password?"""
    return "uid=0(root)" in shell(
        client, f"echo {password} | su bob -c '{SU} root -c id' 2>/dev/null || true"
    )


@pytest.mark.parametrize("shadow", [True, False], ids=["shadow", "passwd"])
def test_login(client: Client, shadow: bool) -> None:
    """The new password lets in, the old one does not, with and without a shadow file."""
    shell(client, f"cp /bin/busybox {SU}; chmod 4755 {SU}; rm -f /etc/shadow; "
                  "grep -q bob: /etc/passwd || echo bob:x:77:77::/:/bin/sh >> /etc/passwd")
    if shadow:
        shell(client, "echo 'root:*:1:0:9:7:::' > /etc/shadow; chmod 600 /etc/shadow")
    for password, other, method in (("first", "second", "md5"), ("second", "first", "sha512")):
        text = base64.b64encode(hash_of(client, password, method).encode()).decode()
        assert client.call("guest-set-user-password", username="root", password=text,
                           crypted=True) == {}
        assert logs_in(client, password)
        assert not logs_in(client, other)
    assert shell(client, "[ ! -e /etc/shadow ] || stat -c %a /etc/shadow").strip() in ("600", "")
    assert ("$6$" in shell(client, "cat /etc/passwd")) == (not shadow)
