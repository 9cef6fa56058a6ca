"""One name for one repository, whatever its link looks like."""

from urllib.parse import quote

import pytest

from binder_federation.binder.bans import Bans
from binder_federation.binder.errors import SpecBanned
from binder_federation.binder.messages import MemberPolicy, SpecBanRecord
from binder_federation.binder.providers.git_urls import parse_git_url
from binder_federation.binder.spec import LaunchSpec, affinity_key

GITHUB = [
    "https://github.com/spam/x",
    "http://github.com/spam/x",
    "https://www.github.com/spam/x",
    "https://GitHub.com/Spam/X.git",
    "https://github.com/spam/x/",
    "https://github.com:443/spam/x",
    "https://me@github.com/spam/x",
    "git://github.com/spam/x.git",
    "git@github.com:spam/x.git",
    "ssh://git@github.com/spam/x",
    "ssh://git@ssh.github.com:443/spam/x.git",
    "git+ssh://git@github.com/spam/x",
    "https://github.com/spam/./x",
    "https://github.com/other/../spam/x",
    "https://github.com/sp%61m/x",
    "https://github.com//spam//x",
]


def spec(url: str, ref: str = "HEAD") -> LaunchSpec:
    return LaunchSpec("git", parse_git_url(url).text, ref)


@pytest.mark.parametrize("url", GITHUB)
def test_all_spellings_are_one(url: str) -> None:
    assert spec(url).affinity_key == "gh/spam/x"
    assert spec(url).image_key("1" * 40) == LaunchSpec("gh", "spam/x", "main").image_key("1" * 40)


@pytest.mark.parametrize("pattern", ["gh/spam/.*", r"git/https?://github\.com/spam/.*"])
def test_a_ban_holds_for_every_spelling_that_it_names(pattern: str) -> None:
    policy = MemberPolicy(banned_specs=(SpecBanRecord(pattern=pattern),))
    with pytest.raises(SpecBanned):
        Bans(policy).check_spec(spec(GITHUB[0]))
    if pattern.startswith("gh"):
        for url in GITHUB:
            with pytest.raises(SpecBanned):
                Bans(policy).check_spec(spec(url))


def test_what_a_provider_does_not_allow_is_not_allowed_as_git() -> None:
    bans = Bans(MemberPolicy(allowed_specs={"gh": ("gh/good/.*",)}))
    bans.check_spec(spec("https://github.com/good/x"))
    bans.check_spec(spec("https://example.org/spam/x"))
    with pytest.raises(SpecBanned):
        bans.check_spec(spec("https://github.com/spam/x"))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://gitlab.com/group/sub/name.git", "gl/group/sub/name"),
        ("git@gitlab.com:group/name", "gl/group/name"),
        ("https://bitbucket.org/team/name", "bitbucket/team/name"),
        ("https://gist.github.com/user/1234abcd", "gist/user/1234abcd"),
        ("https://github.com/only", "git/https://github.com/only"),
        ("https://github.com/a/b/c", "git/https://github.com/a/b/c"),
        ("https://github.com.evil.example/a/b", "git/https://github.com.evil.example/a/b"),
        ("https://evil.example/github.com/a/b", "git/https://evil.example/github.com/a/b"),
        ("https://notgithub.com/a/b", "git/https://notgithub.com/a/b"),
    ],
)
def test_other_hosts(url: str, key: str) -> None:
    assert affinity_key("git", parse_git_url(url).text) == key, quote(url)
