"""Bans of networks and specs."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.bans import Bans, make_member_policy
from binder_federation.binder.errors import NetworkBanned, SpecBanned
from binder_federation.binder.messages import MemberPolicy, SpecBanRecord
from binder_federation.binder.networks import LabelledNetworks
from binder_federation.binder.spec import LaunchSpec
from binder_federation.binder.visitor_addresses import parse_address

NETWORKS = {"203.0.113.0/24": "Example", "203.0.113.128/25": "Half", "2001:db8::/32": ""}
SPAM = SpecBanRecord(pattern="gh/spam/.*")
OLD = SpecBanRecord(pattern="gh/owner/name/old-.*", message="That branch is gone.")
ADDRESSES = st.ip_addresses(v=4, network="203.0.112.0/22") | st.ip_addresses(v=6)


def bans(**policy: object) -> Bans:
    return Bans(MemberPolicy.model_validate(policy))


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("203.0.113.1", "Example"),
        ("203.0.113.200", "Half"),
        ("::ffff:203.0.113.1", "Example"),
        ("2001:db8::1", ""),
        ("203.0.114.1", None),
        ("2001:db9::1", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_the_smallest_network_counts(address: str, label: str | None) -> None:
    assert LabelledNetworks(NETWORKS).find_text(address) == label


@given(
    networks=st.lists(
        st.tuples(ADDRESSES, st.integers(0, 32)).map(
            lambda pair: str(ip_network(f"{pair[0]}/{pair[1]}", strict=False))
        ),
        max_size=20,
    ),
    address=ADDRESSES,
)
def test_as_a_plain_search_finds_it(networks: list[str], address: object) -> None:
    known = parse_address(str(address))  # IPv4 that is written as IPv6 is IPv4
    holding = [n for n in networks if known in ip_network(n)]
    smallest = max(holding, key=lambda n: ip_network(n).prefixlen, default=None)
    assert LabelledNetworks({n: n for n in networks}).find_text(str(address)) == smallest


def test_thousands_of_networks_are_one_look_up_each_prefix_length() -> None:
    many = {f"10.{a}.{b}.0/24": "x" for a in range(100) for b in range(100)}
    networks = LabelledNetworks(many)
    assert networks.find_text("10.99.99.1") == "x"
    assert networks.find_text("10.100.0.1") is None


def test_a_banned_network_is_told_by_its_label() -> None:
    with pytest.raises(NetworkBanned) as refused:
        bans(banned_networks=NETWORKS).check_address("203.0.113.1")
    assert refused.value.message == "Requests from Example are not allowed."
    assert refused.value.status == 403
    bans(banned_networks=NETWORKS).check_address("198.51.100.1")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (LaunchSpec("gh", "Spam/Thing.git", "HEAD"), "may not be launched here"),
        (LaunchSpec("gh", "owner/name", "old-1"), "That branch is gone."),
        (LaunchSpec("gh", "owner/name", "new"), ""),
        (LaunchSpec("gl", "spam/thing", "HEAD"), ""),
        (LaunchSpec("gh", "spammer/thing", "HEAD"), ""),
    ],
)
def test_banned_specs(spec: LaunchSpec, message: str) -> None:
    rules = bans(banned_specs=[SPAM, OLD])
    if not message:
        rules.check_spec(spec)
        return
    with pytest.raises(SpecBanned, match=message):
        rules.check_spec(spec)


def test_only_what_is_allowed_of_a_provider_that_is_named() -> None:
    rules = bans(allowed_specs={"gh": ["gh/school/.*"]}, banned_specs=[SPAM])
    rules.check_spec(LaunchSpec("gh", "School/Course", "HEAD"))
    rules.check_spec(LaunchSpec("gl", "anybody/anything", "HEAD"))
    with pytest.raises(SpecBanned, match="not among the repositories"):
        rules.check_spec(LaunchSpec("gh", "anybody/anything", "HEAD"))


def test_the_same_bans_have_the_same_digest() -> None:
    one = make_member_policy(NETWORKS, [SPAM], {"gh": ["a"]})
    same = make_member_policy(dict(NETWORKS), (SPAM,), {"gh": ("a",)})
    other = make_member_policy(NETWORKS, [OLD], {"gh": ["a"]})
    assert one.digest == same.digest != other.digest
    assert make_member_policy({}, [], {}).digest == ""
    assert MemberPolicy.model_validate_json(one.model_dump_json()) == one
