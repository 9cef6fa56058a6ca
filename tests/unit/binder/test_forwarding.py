"""Who asks: forwarded headers of trusted proxies, and of nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.forwarding import TrustedProxies, Visitor
from binder_federation.binder.visitor_addresses import AddressSet, counted_as, parse_address
from binder_federation.config.limits import ForwardedHeaders

PROXIES = TrustedProxies(("10.0.0.0/8", "fd00::/8"))
STANDARD = TrustedProxies(("10.0.0.0/8",), ForwardedHeaders.FORWARDED)
INNER, OUTER, VISITOR = "10.0.0.1", "10.9.9.9", "203.0.113.7"
ANYTHING = st.text(max_size=60) | st.sampled_from(
    [VISITOR, INNER, "unknown", "_hidden", '"[2001:db8::1]:80"', "for=", ";;", 'for="', ",,,", "::"]
)


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        (VISITOR, "198.51.100.1", VISITOR),
        (INNER, "", INNER),
        (INNER, VISITOR, VISITOR),
        (INNER, f"198.51.100.1, {VISITOR}", VISITOR),
        (INNER, f"198.51.100.1, {VISITOR}, {OUTER}", VISITOR),
        (INNER, f"{OUTER}, {OUTER}", OUTER),
        (INNER, f"{VISITOR}:4711", VISITOR),
        (INNER, "[2001:db8::5]:4711", "2001:db8::5"),
        (INNER, "2001:db8::5", "2001:db8::5"),
        (INNER, "fe80::1%eth0", "fe80::1"),
        (INNER, "::ffff:203.0.113.7", VISITOR),
        (INNER, "unknown", INNER),
        (INNER, f"{VISITOR}, garbage, {OUTER}", OUTER),
        (INNER, f"{VISITOR},,", INNER),
        ("", VISITOR, ""),
        ("::ffff:10.0.0.1", VISITOR, VISITOR),
    ],
)
def test_the_first_that_is_not_trusted(remote: str, forwarded: str, address: str) -> None:
    assert PROXIES.visitor(remote, {"X-Forwarded-For": forwarded}).address == address


def test_without_trusted_proxies_nobody_is_believed() -> None:
    told = {"X-Forwarded-For": VISITOR, "X-Forwarded-Proto": "https", "Forwarded": "for=1.2.3.4"}
    assert TrustedProxies().visitor(INNER, told) == Visitor(INNER)


@pytest.mark.parametrize(
    ("told", "scheme", "host"),
    [
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "b.example"}, "https", "b.example"),
        ({"X-Forwarded-Proto": "HTTPS"}, "https", ""),
        ({"X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "a b"}, "", ""),
        ({"X-Forwarded-Host": 'x"><script>'}, "", ""),
        ({"X-Forwarded-Host": "[2001:db8::1]:8443"}, "", "[2001:db8::1]:8443"),
        ({"X-Forwarded-Proto": "http, https"}, "https", ""),
        (
            {
                "X-Forwarded-For": f"{VISITOR}, {OUTER}",
                "X-Forwarded-Proto": "gopher, https, http",
                "X-Forwarded-Host": "evil.example, b.example, inner",
            },
            "https",
            "b.example",
        ),
    ],
)
def test_scheme_and_host_of_the_outermost_proxy(
    told: dict[str, str], scheme: str, host: str
) -> None:
    found = PROXIES.visitor(INNER, told)
    assert (found.scheme, found.host) == (scheme, host)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"for={VISITOR};proto=https;host=b.example", Visitor(VISITOR, "https", "b.example")),
        (f'For="[2001:db8::5]:99", for={OUTER};Proto=http', Visitor("2001:db8::5")),
        (f"for=198.51.100.1, for={VISITOR};proto=https", Visitor(VISITOR, "https")),
        (f'for="a, for=198.51.100.1", for={VISITOR}', Visitor(VISITOR)),
        ("for=unknown;proto=https", Visitor(INNER, "https")),
        ("nonsense", Visitor(INNER)),
    ],
)
def test_the_standard_header(value: str, expected: Visitor) -> None:
    told = {"Forwarded": value, "X-Forwarded-For": "198.51.100.99"}
    assert STANDARD.visitor(INNER, told) == expected


@given(remote=st.sampled_from([INNER, VISITOR, ""]) | st.text(max_size=20), told=ANYTHING)
def test_nothing_makes_it_fail(remote: str, told: str) -> None:
    names = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
    for proxies in (PROXIES, STANDARD):
        found = proxies.visitor(remote, dict.fromkeys(names, told))
        assert found.scheme in ("", "http", "https")
        assert found.address == remote or parse_address(found.address) is not None


@given(prefix=ANYTHING)
def test_what_a_visitor_adds_at_the_left_changes_nothing(prefix: str) -> None:
    told = {"X-Forwarded-For": f"{prefix.replace(',', '')}, {VISITOR}"}
    assert PROXIES.visitor(INNER, told).address == VISITOR


def test_ipv6_is_counted_by_its_network() -> None:
    assert (
        counted_as("2001:db8:1:2:3:4:5:6") == counted_as("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    )
    assert counted_as("2001:db8:1:3::1") != counted_as("2001:db8:1:2::1")
    assert counted_as("::ffff:203.0.113.7") == counted_as(VISITOR) == VISITOR
    assert counted_as("not an address") == "not an address"


def test_a_set_of_addresses() -> None:
    local = AddressSet(("127.0.0.0/8", "::1/128"))
    assert "127.0.0.1" in local
    assert "::1" in local
    assert VISITOR not in local
    assert "" not in local
