"""Properties of every grammar: a path means one thing, and nothing in it escapes its place."""

import re
from urllib.parse import quote, unquote, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binder_federation.binder.errors import InvalidSpec, SpecBanned
from binder_federation.binder.providers import BUILT_IN, Repositories, make_providers
from binder_federation.binder.spec import MAX_SPEC_LENGTH, LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.unit.binder.grammar_examples import GRAMMARS

# Nothing is asked in this module: the client opens no connection.
PROVIDERS = make_providers(ProviderSettings(), httpx.AsyncClient())
REPOSITORIES = Repositories(PROVIDERS)

every_provider = pytest.mark.parametrize("provider_id", list(PROVIDERS))

HOSTILE = (
    *("", "/", "//", ".", "..", "...", "%2F", "%2f", "%252F", "%2e%2e", "%252e%252e", "..%2f"),
    *("%", "%zz", "%00", "%0a", "%0d%0a", "%7f", "%ff", "%c3%28", "%ED%A0%80", "%5c", "%20"),
    *("\x00", "\n", "\r", "\t", " ", "\x7f", "\\", "?", "#", "@", ":", ";", "&", "=", "+", "~"),
    *("\udcff", "\ud800", "\u202e", "\u2028", "\u2044", "\uff0e\uff0e", "\u200b", "ü", "漢" * 90),
    *("a" * 300, "%41" * 300, "+" * 250, "-", "-x", "--upload-pack=x", ".git", ".GIT", ".lock"),
    *("HEAD", "main", "f" * 40, "ada", "ada/engine", "10.5281/zenodo.1", "doi:", "0" * 32),
    *("https:", "https://", "https%3A%2F%2Fexample.org%2Fa", "git@example.org:a", "ext::sh", "//x"),
    *("user:secret@", "127.0.0.1", "[::1]", "localhost", "dataset", "history", "?activity_id="),
)
hostile_texts = st.lists(st.sampled_from(HOSTILE), max_size=8).map("".join)
any_texts = (
    hostile_texts
    | st.text(max_size=40)
    | hostile_texts.map(lambda text: quote(text, safe="", errors="surrogatepass"))
)


def assert_in_its_place(spec: LaunchSpec) -> None:
    """The spec's path and address say what it says, to whoever reads them."""
    grammar, provider = GRAMMARS[spec.provider], PROVIDERS[spec.provider]
    path = provider.format(spec)
    assert path.isascii(), path
    assert path.isprintable(), path
    assert not set(' ?#\\"<>') & set(path), path
    assert len(f"{spec.provider}/{path}") <= MAX_SPEC_LENGTH
    assert not {"", ".", ".."} & set(path.split("/")), f"{path} would be another path"
    assert not {".", ".."} & set(unquote(path).split("/")), f"{path} may be another path"
    name = grammar.name_of(path)
    assert "/" not in name or not grammar.is_escaped, f"{path} is read as more parts"
    assert REPOSITORIES.parse(f"{spec.provider}/{path}") == spec, "it comes back as another"
    assert spec.at("HEAD").affinity_key == spec.affinity_key
    assert_address(provider.repository_url(spec), grammar.home)


def assert_address(address: str, home: str) -> None:
    assert address.isprintable(), address
    if not home:
        return
    assert address.startswith(home), f"{address} is not at {home}"
    parts = urlsplit(address)
    assert parts.netloc == urlsplit(home).netloc
    assert not set(" ?#\\") & set(address), address
    assert not {".", ".."} & set(unquote(parts.path).split("/")), address
    assert address.isascii(), address


def test_every_provider_has_examples() -> None:
    missing = BUILT_IN.keys() - GRAMMARS.keys()
    assert not missing, f"tests/unit/binder/grammar_examples.py says nothing about {missing}"


@every_provider
@settings(max_examples=60)
@given(data=st.data())
def test_parse_and_format_are_inverse(provider_id: str, data: st.DataObject) -> None:
    spec = data.draw(GRAMMARS[provider_id].specs)
    path = f"{provider_id}/{PROVIDERS[provider_id].format(spec)}"
    assert REPOSITORIES.parse(path) == spec
    assert_in_its_place(spec)


@every_provider
@settings(max_examples=80)
@given(text=any_texts)
def test_any_text_is_refused_or_in_its_place(provider_id: str, text: str) -> None:
    try_to_launch(f"{provider_id}/{text}")


@every_provider
@settings(max_examples=80)
@given(data=st.data(), text=any_texts)
def test_a_good_path_with_something_odd_in_it(
    provider_id: str, data: st.DataObject, text: str
) -> None:
    path = PROVIDERS[provider_id].format(data.draw(GRAMMARS[provider_id].specs))
    start = data.draw(st.integers(0, len(path)))
    end = data.draw(st.integers(start, min(len(path), start + 3)))
    try_to_launch(f"{provider_id}/{path[:start]}{text}{path[end:]}")


@every_provider
@settings(max_examples=8)
@given(data=st.data())
def test_a_good_path_with_one_part_replaced(provider_id: str, data: st.DataObject) -> None:
    path = PROVIDERS[provider_id].format(data.draw(GRAMMARS[provider_id].specs))
    parts = re.split(r"(/|%2F)", path)
    place = data.draw(st.integers(0, len(parts) // 2)) * 2
    for text in HOSTILE:
        try_to_launch(f"{provider_id}/{''.join([*parts[:place], text, *parts[place + 1 :]])}")


@every_provider
@pytest.mark.parametrize("length", [2000, 2048, 100_000])
def test_very_long(provider_id: str, length: int) -> None:
    for letter in ("a", "/", ".", "%", "%2F", "+", "漢", "1"):
        try_to_launch(f"{provider_id}/{letter * length}"[:length])
        try_to_launch(f"{provider_id}/ada/engine/{letter * length}"[:length])


def try_to_launch(raw_path: str) -> None:
    """Nothing but `InvalidSpec` (or a ban) comes of a path, and what is understood is safe."""
    refusal, spec = None, None
    try:
        spec = REPOSITORIES.parse(raw_path)
    except (InvalidSpec, SpecBanned) as error:
        refusal = error
    if spec is not None:
        assert_in_its_place(spec)
    if refusal is not None:
        assert refusal.message.isprintable(), "the sentence would harm who reads it"
        assert len(refusal.message) < 400
