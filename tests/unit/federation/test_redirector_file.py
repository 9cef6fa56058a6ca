"""mybinder.org's redirector configuration, read as settings of ours."""

from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from binder_federation.config.federation import FederationSettings, MemberKind
from binder_federation.config.load import ConfigurationError
from binder_federation.federation.cli.import_redirector import make_text
from binder_federation.federation.redirector.file import import_redirector


def host(name: str, **changes: Any) -> dict[str, Any]:
    url = f"https://{name}.example.org"
    usual = {"url": url, "weight": 1, "health": f"{url}/health", "versions": f"{url}/versions"}
    return {**usual, **changes}


WHOLE = {
    "hosts": {
        "gke": host("gke", weight=4, prime=True, url="https://gke.example.org/"),
        "OVH_2": host("ovh", weight=0),
        "gesis": host("gesis", weight=2.5, health="https://monitor.example.org/gesis"),
        "turing": None,
    },
    "check": {"period": 15, "jitter": 0.1, "retries": 5, "timeout": 4, "failed_period": 90},
    "load_balancer": "rendezvous",
    "pod_headroom": 10,
    "host_cookie_age_hours": 4,
}


def settings_of(content: Any) -> FederationSettings:
    """By way of the text, as an operator's file."""
    return FederationSettings(**yaml.safe_load(make_text(import_redirector(content), "a.json")))


def test_a_whole_file() -> None:
    settings = settings_of(WHOLE)

    members = {member.name: member for member in settings.members}
    assert list(members) == ["gke", "ovh-2", "gesis"]
    assert {member.kind for member in members.values()} == {MemberKind.BINDERHUB}
    assert {member.pod_headroom for member in members.values()} == {10}
    assert members["gke"].url == "https://gke.example.org"
    assert members["gke"].weight == 4
    assert members["ovh-2"].draining is True
    assert members["gesis"].weight == 2.5
    assert settings.health.probe_every_seconds == 15
    assert settings.health.binderhub_answer_seconds == 4
    assert settings.health.down_probe_max_seconds == 90
    assert settings.launch.sticky_hours == 4


@pytest.mark.parametrize(
    "said",
    [
        "hosts.gke is prime: there is none here",
        "hosts.turing is null, so it was left out",
        "hosts.OVH_2 is called ovh-2 here",
        "hosts.OVH_2 has the weight 0: it is draining",
        "https://gesis.example.org/health is asked here",
        "load_balancer is left out",
        "check.retries is left out",
        "check.jitter is left out",
    ],
)
def test_what_has_no_counterpart_is_said_in_comments(said: str) -> None:
    text = make_text(import_redirector(WHOLE), "config.json")
    comments = " ".join(line.lstrip("#- ") for line in text.splitlines() if line.startswith("#"))

    assert said in comments, comments


def test_a_prime_without_weight_is_a_member_that_drains() -> None:
    hosts = {"gke": host("gke", weight=0, prime=True), "ovh": host("ovh")}

    draining = {member.name: member.draining for member in settings_of({"hosts": hosts}).members}

    assert draining == {"gke": True, "ovh": False}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "The file must hold names and values"),
        ({}, "hosts must hold names and values"),
        ({"hosts": {}}, "hosts names no host"),
        ({"hosts": {"a": None}}, "hosts names no host"),
        ({"hosts": {"a": "https://a"}}, "hosts.a must hold names and values"),
        ({"hosts": {"a": {"weight": 1}}}, "hosts.a.url must be a URL, not None"),
        ({"hosts": {"a": host("a", url=7)}}, "hosts.a.url must be a URL, not 7"),
        ({"hosts": {"a": host("a", weight=-1)}}, "hosts.a.weight must be a number of at least 0"),
        ({"hosts": {"a": host("a", weight="1")}}, "hosts.a.weight must be a number"),
        ({"hosts": {"a": host("a", weight=float("nan"))}}, "hosts.a.weight must be a number"),
        ({"hosts": {"a": {"url": "https://a"}}}, "hosts.a.weight must be a number"),
        ({"hosts": {"--": host("a")}}, "'--' is no name for a member"),
        ({"hosts": {"a.b": host("a"), "a-b": host("b")}}, "two of them would be called a-b"),
        ({"hosts": {"a": host("a")}, "pod_headroom": -3}, "pod_headroom must be a whole number"),
        (
            {"hosts": {"a": host("a")}, "check": {"period": 0}},
            "check.period must be a number above",
        ),
        ({"hosts": {"a": host("a")}, "check": []}, None),
        ({"hosts": {"a": host("a")}, "check": 3}, "check must hold names and values"),
    ],
)
def test_what_is_wrong_is_said(content: Any, said: str | None) -> None:
    if said is None:
        settings_of(content)
        return
    with pytest.raises(ConfigurationError, match=r".") as caught:
        settings_of(content)
    assert said in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["url", "weight"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@example(hosts={"b\x00\n- c": host("b")}, rest=0, check={})
@given(hosts=st.dictionaries(st.text(max_size=8), JSON, max_size=3), rest=JSON, check=JSON)
def test_nothing_but_a_sentence_comes_of_nonsense(hosts: Any, rest: Any, check: Any) -> None:
    content = {"hosts": {**hosts, "a": host("a")}, "pod_headroom": rest, "check": check}
    with suppress(ConfigurationError):
        assert "a" in {member.name for member in settings_of(content).members}
