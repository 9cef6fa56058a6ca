"""Launches → rates, and what the next warm server is told."""

from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.launcher import ServerOptions
from binder_federation.cluster_agent.warm.demand import Demand
from binder_federation.cluster_agent.warm.pauses import FIRST_SECONDS, LONGEST_SECONDS, Pauses

HOT, RARE = ImageKey("1" * 32), ImageKey("2" * 32)
SPEC = LaunchSpec("gh", "Owner/Name", "HEAD")


def make_options(request: str = "v2/gh/owner/name/HEAD") -> ServerOptions:
    return ServerOptions(
        image="registry/owner-name:1",
        token="a-visitors-token",
        repo_url="https://example.org/owner/name",
        binder_ref_url="",
        binder_launch_host="https://binder.example/",
        binder_request=request,
        binder_persistent_request="",
        binder_client_ip="192.0.2.1",
        repository="gh/owner/name",
    )


def test_the_next_server_is_told_nothing_of_any_visitor() -> None:
    demand = Demand(memory_seconds=1800.0)
    demand.note(HOT, SPEC, make_options("v2/gh/owner/name/old"), now=0.0)
    demand.note(HOT, SPEC, make_options(), now=1.0)
    name, options = demand.next_server(HOT)
    other_name, other = demand.next_server(HOT)
    assert name.startswith("owner-name-")
    assert name != other_name
    assert options.warm
    assert options.binder_client_ip == ""
    assert options.binder_request == "v2/gh/owner/name/HEAD", "the latest visitor's"
    assert "a-visitors-token" not in (options.token, other.token)
    assert options.token != other.token
    assert len(options.token) >= 32


def test_rates_are_kept_of_what_is_asked_for() -> None:
    demand = Demand(memory_seconds=1800.0)
    demand.note(RARE, SPEC, make_options(), now=0.0)
    for minute in range(1, 121):
        demand.note(HOT, SPEC, make_options(), now=60.0 * minute)
    rates = demand.rates(now=7200.0)
    assert 0.014 < rates[HOT] < 0.018, "one a minute"
    assert RARE not in rates, "what was asked for once, two hours ago, is forgotten"


def test_there_is_a_limit_to_what_is_remembered() -> None:
    demand = Demand(memory_seconds=1800.0, most_images=3)
    for number in range(10):
        demand.note(ImageKey(f"{number:032}"), SPEC, make_options(), now=float(number))
    assert len(demand.rates(now=10.0)) == 3


def test_excluded_repositories_are_matched_whole() -> None:
    demand = Demand(memory_seconds=1800.0, exclude=["gh/owner/nam"])
    demand.note(HOT, SPEC, make_options(), now=0.0)
    assert demand.rates(now=0.0)
    excluding = Demand(memory_seconds=1800.0, exclude=["gh/owner/.*", "git/.*"])
    excluding.note(HOT, SPEC, make_options(), now=0.0)
    assert not excluding.rates(now=0.0)


def test_failures_in_a_row_are_tried_ever_more_seldom() -> None:
    pauses, now = Pauses(), 0.0
    waits = []
    for _ in range(8):
        pauses.failed(HOT, now=now)
        began = now
        while pauses.is_paused(HOT, now=now):
            now += 1.0
        waits.append(now - began)
    assert waits[:3] == [FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS]
    assert waits[-1] == LONGEST_SECONDS
    assert not pauses.is_paused(RARE, now=now)
    pauses.succeeded(HOT)
    pauses.failed(HOT, now=now)
    assert not pauses.is_paused(HOT, now=now + FIRST_SECONDS), "a success makes it new"
