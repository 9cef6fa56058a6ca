"""Valid specs of every provider, for the properties that hold for all of them.

A new provider contributes one `Grammar` to `GRAMMARS`: how to make specs in its canonical
form, where its repositories are, and which of its path's parts is the repository.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.refs import check_ref
from binder_federation.binder.spec import LaunchSpec


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the properties need to know of one provider."""

    specs: SearchStrategy[LaunchSpec]
    home: str = ""
    """Every repository's address begins with it; empty: repositories are anywhere."""
    name_of: Callable[[str], str] = lambda path: path
    """The part of a formatted path that names the repository."""
    is_escaped: bool = False
    """That part is one segment, whatever is in it."""


def _is_good(ref: str) -> bool:
    try:
        return bool(check_ref(ref))
    except InvalidSpec:
        return False


_REF_CHARS = st.characters(codec="utf-8", exclude_characters="~^:?*[\\@")
refs = (
    st.sampled_from(["HEAD", "main", "feature/x", "v1.0+b", "50%25", "straße", 'a"b', "f" * 40])
    | st.text(_REF_CHARS, min_size=1, max_size=40).filter(_is_good)
)  # fmt: skip
commit_ids = st.text("0123456789abcdef", min_size=40, max_size=40)


def _names(pattern: str) -> SearchStrategy[str]:
    """Texts of a pattern that can be a part of a path, without the suffix that is taken off."""
    return st.from_regex(pattern, fullmatch=True).filter(
        lambda name: name not in (".", "..") and not name.lower().endswith(".git")
    )


def _specs(
    provider: str, repositories: SearchStrategy[str], refs: SearchStrategy[str]
) -> SearchStrategy[LaunchSpec]:
    return st.builds(LaunchSpec, st.just(provider), repositories, refs)


def _joined(*parts: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.tuples(*parts).map("/".join)


def _first(count: int) -> Callable[[str], str]:
    return lambda path: "/".join(path.split("/")[:count])


_owners = _names(r"[A-Za-z0-9-]{1,39}")
_projects = _names(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,60}")
_hex = st.text("0123456789abcdef", min_size=32, max_size=32)
_numbers = st.integers(1, 10**9).map(str)
_slugs = st.from_regex(r"[a-z0-9][a-z0-9_-]{1,40}", fullmatch=True)

GRAMMARS: dict[str, Grammar] = {
    "gh": Grammar(
        _specs("gh", _joined(_owners, _names(r"[A-Za-z0-9_.-]{1,60}")), refs),
        home="https://github.com/",
        name_of=_first(2),
    ),
    "gist": Grammar(
        _specs("gist", _joined(_owners, _hex), st.just("HEAD") | commit_ids),
        home="https://gist.github.com/",
        name_of=_first(2),
    ),
    "gl": Grammar(
        _specs("gl", st.lists(_projects, min_size=2, max_size=5).map("/".join), refs),
        home="https://gitlab.com/",
        name_of=_first(1),
        is_escaped=True,
    ),
    "bitbucket": Grammar(
        _specs("bitbucket", _joined(_projects, _projects), refs),
        home="https://bitbucket.org/",
        name_of=_first(1),
        is_escaped=True,
    ),
    "git": Grammar(
        _specs(
            "git",
            _projects.map("https://example.org/{}".format)
            | _projects.map("git@example.org:team/{}".format)
            | _projects.map("ssh://git@example.org:2222/{}/a%20b".format),
            refs,
        ),
        name_of=_first(1),
        is_escaped=True,
    ),
    "zenodo": Grammar(
        _specs("zenodo", _numbers.map("10.5281/zenodo.{}".format), st.just("HEAD")),
        home="https://doi.org/",
    ),
    "figshare": Grammar(
        _numbers.flatmap(
            lambda number: _specs(
                "figshare",
                st.just(f"10.6084/m9.figshare.{number}"),
                st.sampled_from(["HEAD", f"{number}.v3"]),
            )
        ),
        home="https://doi.org/",
    ),
    "dataverse": Grammar(
        _specs("dataverse", _slugs.map("10.7910/DVN/{}".format), st.just("HEAD")),
        home="https://doi.org/",
    ),
    "hydroshare": Grammar(
        _specs("hydroshare", _hex, st.just("HEAD")), home="https://www.hydroshare.org/"
    ),
    "ckan": Grammar(
        _specs(
            "ckan",
            _slugs.map("https://demo.ckan.org/dataset/{}".format),
            st.just("HEAD") | st.uuids().map(str),
        ),
        is_escaped=True,
    ),
}
