"""Launch paths: what is understood, what is refused and with which words."""

from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers import (
    Providers,
    Repositories,
    make_providers,
    parse_launch_path,
)
from binder_federation.binder.providers.refs import check_ref
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.load import ConfigurationError
from binder_federation.config.providers import ProviderSettings

# Nothing is asked in this module: the client opens no connection.
PROVIDERS: Providers = make_providers(ProviderSettings(), httpx.AsyncClient())

ref_chars = st.characters(codec="utf-8", exclude_characters="~^:?*[\\@")
refs = st.text(ref_chars, min_size=1, max_size=40).filter(
    lambda ref: ref.isprintable() and _is_good(ref)
)
owners = st.from_regex(r"[A-Za-z0-9-]{1,39}", fullmatch=True)
gh_names = st.from_regex(r"[A-Za-z0-9_.-]{1,60}", fullmatch=True).filter(
    lambda name: name not in (".", "..") and not name.lower().endswith(".git")
)


def _is_good(ref: str) -> bool:
    try:
        return bool(check_ref(ref))
    except InvalidSpec:
        return False


def parse(path: str) -> LaunchSpec:
    return parse_launch_path(PROVIDERS, path)


@pytest.mark.parametrize(
    ("path", "repository", "ref"),
    [
        ("gh/ada/engine/HEAD", "ada/engine", "HEAD"),
        ("gh/ada/engine.git/main", "ada/engine", "main"),
        ("gh/ada/engine/feature/x/y", "ada/engine", "feature/x/y"),
        ("gh/ada/engine/feature%2Fx", "ada/engine", "feature/x"),
        ("gh/ada/engine/a%252Fb", "ada/engine", "a%2Fb"),
        ("gh/ada/engine/v1.0%2Bb", "ada/engine", "v1.0+b"),
        ("gh/Ada/.github/stra%C3%9Fe", "Ada/.github", "straße"),
        ("gist/ada/0123abcd", "ada/0123abcd", "HEAD"),
        ("gist/ada/0123abcd/", "ada/0123abcd", "HEAD"),
        ("gist/ada/0123abcd/master", "ada/0123abcd", "HEAD"),
        ("gist/ada/0123abcd/main", "ada/0123abcd", "HEAD"),
        ("gist/ada/0123abcd.git/HEAD", "ada/0123abcd", "HEAD"),
        ("gist/ada/0123abcd/0123abcd", "ada/0123abcd", "0123abcd"),
        (f"gist/ada/1234567/{'A' * 40}", "ada/1234567", "A" * 40),
        ("gl/group%2Fengine/HEAD", "group/engine", "HEAD"),
        ("gl/group%2Fsub%2Fteam%2Fengine/feature/x", "group/sub/team/engine", "feature/x"),
        ("gl/group%2fengine.git/feature%2Fx", "group/engine", "feature/x"),
        ("gl/%2Fgroup%2Fengine%2F/v1.0%2Bb", "group/engine", "v1.0+b"),
        ("bitbucket/team%2Fengine/main", "team/engine", "main"),
        ("bitbucket/team%2Fengine.git/release/1.x", "team/engine", "release/1.x"),
        ("git/https%3A%2F%2Fexample.org%2Fa.git/main", "https://example.org/a.git", "main"),
        ("git/HTTPS%3A%2F%2FExample.ORG.%3A443%2Fa%2F/x/y", "https://example.org/a", "x/y"),
        ("git/https%3A%2F%2Fme%40example.org%2Fa/x", "https://example.org/a", "x"),
        ("git/https%3A%2F%2Fexample.org%2Fb%2F..%2F%252e%252e%2Fa/x", "https://example.org/a", "x"),
        ("git/https%3A%2F%2Fb%C3%BCcher.example%2Fa/x", "https://xn--bcher-kva.example/a", "x"),
        ("git/git%40example.org%3Ateam%2Fa.git/x", "git@example.org:team/a.git", "x"),
        ("git/ssh%3A%2F%2Fgit%40example.org%3A22%2Fa/x", "ssh://git@example.org/a", "x"),
        ("git/git%3A%2F%2Fexample.org%3A9419%2Fa/x", "git://example.org:9419/a", "x"),
        ("git/http%3A%2F%2F%5B2001%3ADB8%3A%3A0%3A1%5D%2Fa/x", "http://[2001:db8::1]/a", "x"),
        ("git/%2Fsrv%2Fexamples%2Fa/x", "file:///srv/examples/a", "x"),
        ("git/file%3A%2F%2F%2Fsrv%2Fe%2F%252e%252e%252fetc/x", "file:///srv/etc", "x"),
    ],
)
def test_understood(path: str, repository: str, ref: str) -> None:
    spec = parse(path)
    assert (spec.repository, spec.ref) == (repository, ref)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("sf/ada/engine/HEAD", "There is no provider “sf”"),
        ("gh/ada", "which ref"),
        ("gh/ada/engine", "which ref"),
        ("gh/ada/engine/", "which ref"),
        ("gh/../engine/x", "cannot be part"),
        ("gh/ada%2Fb/engine/x", "cannot be part"),
        ("gh/ada/.git/x", "cannot be part"),
        ("gh/ada/engine%00/x", "cannot be part"),
        ("gh/ada/engine/%ff", "not text"),
        ("gh/ada/engine/a..b", "mean something else"),
        ("gh/ada/engine/-x", "begins or ends"),
        ("gh/ada/engine/x.lock", "“.lock”"),
        ("gh/ada/engine/a%20b", "a space or another"),
        ("gh/ada/engine/" + "x" * 256, "256 bytes long"),
        ("gist/ada", "is not a gist"),
        ("gist/ada/0123%2Fabcd/HEAD", "is not a gist"),
        ("gist/../0123abcd/HEAD", "is not a gist"),
        ("gist/ada/0123abcd/develop", "no branch or tag “develop”"),
        ("gist/ada/0123abcd/HEAD/x", "no branch or tag “HEAD/x”"),
        ("gl/group/engine/HEAD", "not percent-encoded"),
        ("gl/group", "not percent-encoded"),
        ("gl/group%2Fengine", "which ref"),
        ("gl/%2F/HEAD", "cannot be the name"),
        ("gl/group%2F..%2Fengine/HEAD", "cannot be the name"),
        ("gl/group%2F%2Fengine/HEAD", "cannot be the name"),
        ("gl/group%252Fengine/HEAD", "not percent-encoded"),
        ("gl/group%2F-engine/HEAD", "cannot be the name"),
        ("gl/group%2Fengine%00/HEAD", "cannot be the name"),
        ("gl/" + "g%2F" * 21 + "x/HEAD", "cannot be the name"),
        ("gl/group%2Fengine/a..b", "mean something else"),
        ("bitbucket/team%2Fsub%2Fengine/HEAD", "cannot be the name"),
        ("bitbucket/team/engine/HEAD", "not percent-encoded"),
        ("git/https%3A%2F%2Fexample.org%2Fa", "which ref"),
        ("git/https://example.org/a/HEAD", "not percent-encoded"),
        ("git/https%3A%2F%2Fexample.org/x", "names no repository"),
        ("git/https%3A%2F%2Fu%3Asecret%40example.org%2Fa/x", "carries a password"),
        ("git/https%3A%2F%2Fexample.org%2Fa%3Fb/x", "no “?”"),
        ("git/https%3A%2F%2Fexample.org%2Fa%23b/x", "no “?”"),
        ("git/https%3A%2F%2Fa%40b%40example.org%2Fa/x", "cannot be read"),
        ("git/https%3A%2F%2Fexample.org%5C%40evil.org%2Fa/x", "no URL can have"),
        ("git/https%3A%2F%2F127.0.0.1%250a%2Fa/x", "no URL can have"),
        ("git/https%3A%2F%2F2130706433%2Fa/x", "spelt unusually"),
        ("git/https%3A%2F%2F0x7f.1%2Fa/x", "spelt unusually"),
        ("git/https%3A%2F%2F0177.0.0.1%2Fa/x", "spelt unusually"),
        ("git/https%3A%2F%2F127.1%2Fa/x", "spelt unusually"),
        ("git/https%3A%2F%2F0x7f000001.%2Fa/x", "spelt unusually"),
        ("git/https%3A%2F%2F%EF%BC%91%EF%BC%92%EF%BC%97.1%2Fa/x", "spelt unusually"),
        ("git/https%3A%2F%2Fexample..org%2Fa/x", "cannot be read"),
        ("git/https%3A%2F%2Fex%2561mple.org%2Fa/x", "cannot be read"),
        ("git/https%3A%2F%2Fexample.org%3A0%2Fa/x", "port"),
        ("git/https%3A%2F%2F%5Bfe80%3A%3A1%25251%5D%2Fa/x", "cannot be read"),
        ("git/--upload-pack%3Dx/x", "cannot begin with"),
        ("git/ext%3A%3Ash%20-c%20id/x", "never fetched"),
        ("git/ssh%3A%2F%2F-oProxyCommand%3Did%2Fa/x", "cannot be read"),
        ("git/javascript%3Aalert(1)/x", "not the URL"),
        ("git/ftp%3A%2F%2Fexample.org%2Fa/x", "cannot fetch from"),
        ("git/file%3A%2F%2Fhost%2Fa/x", "names no host"),
        ("git/not-a-url/x", "not the URL"),
        ("git/git%40example.org%3A..%2Fa/x", "cannot be read"),
        ("git/git%40example.org%3Aa%2F.%2Fb/x", "cannot be read"),
        ("git/https%3A%2F%2F%E2%81%84.example.org%2Fa/x", "cannot be read"),
    ],
)
def test_refused_in_words(path: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse(path)
    assert words in caught.value.message
    assert caught.value.advice
    assert "secret" not in str(caught.value.to_json())


def test_an_unknown_provider_lists_the_known() -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse("nope/a/b/c")
    assert ", ".join(PROVIDERS) in caught.value.advice


def test_a_missing_ref_shows_the_right_link() -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse("gh/ada/engine.git")
    assert "/v2/gh/ada/engine/HEAD" in caught.value.advice


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("gl/group/engine/HEAD", "/v2/gl/group%2Fengine/HEAD"),
        ("gl/group/../x/y", "/v2/gl/group%2Fproject/HEAD"),
        ("bitbucket/team%2Fengine/", "/v2/bitbucket/team%2Fengine/HEAD"),
        ("gist/ada/0123abcd/develop", "/v2/gist/ada/0123abcd/HEAD"),
    ],
)
def test_what_is_refused_comes_with_the_link_that_was_meant(path: str, link: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse(path)
    assert link in caught.value.advice


@pytest.mark.parametrize(
    ("provider", "repository", "spellings"),
    [
        ("gh", "ada/engine", ["Ada/Engine/HEAD", "ada/engine.git/feature/x/y"]),
        ("gist", "ada/0123abcd", ["ada/0123abcd", "Ada/0123ABCD/main", f"ada/0123abcd/{'f' * 40}"]),
        ("gl", "group/sub/engine", ["Group%2Fsub%2Fengine/HEAD", "group%2fsub%2Fengine.git/a/b/c"]),
        ("bitbucket", "team/engine", ["team%2FEngine/HEAD", "team%2Fengine.git/a/b/c"]),
        (
            "git",
            "https://example.org/engine",
            [
                "https%3A%2F%2Fexample.org%2Fengine.git/HEAD",
                "https%3A%2F%2Fexample.org%2Fengine/a/b",
            ],
        ),
    ],
)
def test_defect_8_the_affinity_key_keeps_no_ref(
    provider: str, repository: str, spellings: list[str]
) -> None:
    keys = {parse(f"{provider}/{spelling}").affinity_key for spelling in spellings}
    assert keys == {f"{provider}/{repository}"}, "a repository's launches would be scattered"


@given(owner=owners, name=gh_names, ref=refs)
def test_gh_round_trip(owner: str, name: str, ref: str) -> None:
    spec = LaunchSpec("gh", f"{owner}/{name}", ref)
    repositories = Repositories(PROVIDERS)
    assert repositories.parse(f"gh/{repositories.format(spec)}") == spec


@given(path=st.text(ref_chars, max_size=60), ref=refs)
def test_git_round_trip(path: str, ref: str) -> None:
    raw = f"git/{quote(f'https://example.org/a{path}', safe='')}/{quote(ref)}"
    try:
        spec = parse(raw)
    except InvalidSpec:
        return  # some of these are
    assert parse(f"git/{PROVIDERS['git'].format(spec)}") == spec


urlish = st.text("abAB.:/@%25e\\[]-~#?0x17 ü\n", max_size=40)


@given(text=st.text(max_size=80) | urlish, provider=st.sampled_from(["gh", "git", "x"]))
def test_any_text_is_a_spec_or_refused(text: str, provider: str) -> None:
    try:
        spec = parse(f"{provider}/{text}")
    except InvalidSpec:
        return
    assert parse(f"{spec.provider}/{PROVIDERS[spec.provider].format(spec)}") == spec


@given(text=urlish, scheme=st.sampled_from(["http://", "https://", "ssh://", "file://", "git@"]))
def test_any_git_url_has_one_canonical_form(text: str, scheme: str) -> None:
    try:
        spec = parse(f"git/{quote(scheme + text, safe='')}/HEAD")
    except InvalidSpec:
        return
    assert "/../" not in f"{spec.repository}/"
    assert spec.repository.isascii() or scheme == "git@"
    assert parse(f"git/{PROVIDERS['git'].format(spec)}") == spec


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(InvalidSpec):
        parse("gh/ada/engine/\udcff")
    with pytest.raises(InvalidSpec):
        parse("\udcff/ada/engine/x")


def test_a_trusted_prefix_that_is_no_url_is_a_mistake_in_the_settings() -> None:
    settings = ProviderSettings(trusted_prefixes=("nonsense",))
    with pytest.raises(ConfigurationError, match="trusted_prefixes"):
        make_providers(settings, httpx.AsyncClient())
