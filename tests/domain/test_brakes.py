"""How long brakes make wait, which addresses count as one network, and browsers in words."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.access.brakes import ACCOUNT, DEVICE, NETWORK, PAIR, PROOF, Brake, network_of
from app.domain.access.browsers import bounded, browser_words


@given(st.sampled_from([PAIR, NETWORK, ACCOUNT, DEVICE, PROOF]), st.integers(0, 10**9))
def test_waits_grow_and_end(brake: Brake, attempts: int) -> None:
    wait = brake.wait(attempts)
    assert timedelta() <= wait <= brake.wait(attempts + 1) <= timedelta(seconds=brake.longest) < brake.memory
    assert bool(wait) == (attempts > brake.free)
    assert PAIR.wait(attempts) >= max(NETWORK.wait(attempts), ACCOUNT.wait(attempts))


@given(st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_addresses_of_one_network_have_one_name(
    four: ipaddress.IPv4Address, six: ipaddress.IPv6Address, host: int
) -> None:
    neighbour = ipaddress.IPv4Address(int(four) & ~0xFF | host & 0xFF)
    assert network_of(str(four)) == network_of(str(neighbour)) == network_of(f"::ffff:{neighbour}")
    assert network_of(str(four)) != network_of(str(ipaddress.IPv4Address(int(four) ^ 0x100)))
    beside = ipaddress.IPv6Address(int(six) >> 64 << 64 | host)
    if six.ipv4_mapped is None and beside.ipv4_mapped is None:
        assert network_of(str(six)) == network_of(str(beside)) == network_of(f"{six}%eth0")
        assert network_of(str(six)) != network_of(str(ipaddress.IPv6Address(int(six) ^ 1 << 64)))


@given(st.one_of(st.none(), st.text(max_size=60)))
def test_whatever_stands_for_an_address_belongs_to_a_network(address: str | None) -> None:
    assert network_of(address)


def test_the_waits_one_after_the_other() -> None:
    waits = [PAIR.wait(n).total_seconds() for n in range(1, 17)]
    assert waits == [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert [NETWORK.wait(n).total_seconds() for n in (60, 61, 62, 66, 1000)] == [0, 1, 2, 20, 20]


def test_networks_by_name() -> None:
    assert [network_of(each) for each in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8:1:2:3:4:5:6", "", None)] == [
        *("192.0.2.0/24", "192.0.2.0/24", "2001:db8:1:2::/64", "unknown", "unknown")
    ]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari · iPhone"),
        ("", ""),
        ("curl/8.5", "curl"),
        ("x Linux", "Linux"),
    ],
)
def test_a_browser_in_words(agent: str, words: str) -> None:
    assert browser_words(agent) == words


def test_what_a_browser_says_is_cut_and_printable() -> None:
    assert bounded("a\nb" + "x" * 9, 5) == "a?bxx" and bounded(None, 5) == ""
