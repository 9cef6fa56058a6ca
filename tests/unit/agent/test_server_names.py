"""Which server is meant: names for URLs, folders and the hub's own rules."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.core.names import is_user_of, named_server, user_name
from binder_federation.cluster_agent.core.quotas import Quota, find_user_refusal
from binder_federation.cluster_agent.core.server_names import ServerName

USERS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}", fullmatch=True)
SUFFIX = "abcd1234"


@given(st.text(max_size=300))
def test_a_servers_name_is_one_that_jupyterhub_takes(repository: str) -> None:
    name = named_server(LaunchSpec("git", repository, "HEAD"), SUFFIX)
    assert len(name) <= 30
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name), name


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("Owner/My.Repo", "owner-my-repo-abcd1234"),
        ("gabrielecirulli/2048", "gabrielecirulli-2048-abcd1234"),
        ("1/2048", "repository-abcd1234"),
        ("a-very-long-owner/with-a-very-long-name", "with-a-very-long-name-abcd1234"),
    ],
)
def test_a_servers_name_is_readable(repository: str, expected: str) -> None:
    name = named_server(LaunchSpec("gh", repository, "HEAD"), SUFFIX)
    assert name == expected


@given(st.tuples(USERS, st.text(max_size=50)), st.tuples(USERS, st.text(max_size=50)))
def test_no_two_servers_share_a_folder(one: tuple[str, str], other: tuple[str, str]) -> None:
    """A temporary user has its own name, so that nothing changes for those who run now."""
    names = {
        ServerName(user, named_server(LaunchSpec("git", repository, "HEAD"), SUFFIX))
        for user, repository in (one, other)
    }
    names.add(ServerName(user_name(LaunchSpec("git", one[1], "HEAD"), SUFFIX)))
    assert len({name.machine_name for name in names}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,45}", name.machine_name) for name in names)


REPOSITORIES = st.from_regex(
    r"(https://[a-z.]{1,9}/)?[A-Za-z0-9_/-]{0,40}[A-Z](\.git)?", fullmatch=True
)


@given(REPOSITORIES)
def test_whom_the_agent_named_is_known_by_the_name(repository: str) -> None:
    spec = LaunchSpec("git", repository, "HEAD")
    assert is_user_of(spec.affinity_key, user_name(spec, SUFFIX))


@pytest.mark.parametrize(
    "user", ["ada", "ada-lovelace", "Ada-engine-abcd1234", "ada-engine-abcd@234", "engine-abcd1234"]
)
def test_who_logs_in_is_taken_for_nobody_else(user: str) -> None:
    assert not is_user_of("gh/ada/engine", user)


def test_a_server_is_written_as_in_its_url() -> None:
    assert str(ServerName("ada")) == "ada"
    assert (
        str(ServerName("ada@example.org", "engine-abcd1234")) == "ada@example.org/engine-abcd1234"
    )


def test_a_user_has_as_many_servers_as_are_allowed() -> None:
    quota = Quota(sessions=10, sessions_per_repository=4, named_servers_per_user=3)
    assert find_user_refusal(2, quota=quota) is None
    refusal = find_user_refusal(3, quota=quota)
    assert refusal is not None
    assert (refusal.code, refusal.status) == ("user_quota", 429)
    off = find_user_refusal(0, quota=Quota(sessions=10, sessions_per_repository=4))
    assert off is not None
    assert off.code == "named_servers_off"
