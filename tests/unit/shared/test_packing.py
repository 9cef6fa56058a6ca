"""Facts in bytes: in Redis, in memory, in news."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.messages import Tier
from binder_federation.federation.locality.buckets import Bucket, bucket_for
from binder_federation.federation.locality.fact_news import (
    Changes,
    FactNews,
    Reload,
    Written,
    decode,
    encode,
)
from binder_federation.federation.locality.packed_table import PackedTable
from binder_federation.federation.locality.packing import (
    FACT,
    day_of,
    field_of,
    pack_fact,
    unpack_fact,
    with_known_size,
)

tiers = st.sampled_from(Tier)
days = st.integers(1, 65_535)
keys = st.binary(min_size=16, max_size=16)
repositories = st.binary(min_size=8, max_size=8)
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
facts = st.integers(0, 2**32 - 1)


@given(tiers, st.integers(1024, 2**41), days)
def test_a_fact_keeps_tier_day_and_nearly_the_size(tier: Tier, size_bytes: int, day: int) -> None:
    fact = pack_fact(tier, size_bytes, day)
    held = unpack_fact(fact)
    assert 0 < fact < 2**32
    assert (held.tier, held.last_seen, day_of(fact)) == (tier, day * 86_400, day)
    assert held.size_bytes == pytest.approx(size_bytes, rel=0.0065)


def test_a_size_that_is_not_known_stays_so() -> None:
    assert unpack_fact(pack_fact(Tier.NODE, 0, 20_000)).size_bytes == 0
    assert unpack_fact(pack_fact(Tier.NODE, 1, 20_000)).size_bytes == 1024
    assert unpack_fact(pack_fact(Tier.NODE, 2**60, 20_000)).size_bytes > 2**40


def test_a_known_size_is_kept_for_a_fact_without_one() -> None:
    known = pack_fact(Tier.REGISTRY, 10**9, 20_000)
    without, other = pack_fact(Tier.NODE, 0, 20_001), pack_fact(Tier.NODE, 10**6, 20_001)
    merged = with_known_size(without, known)
    assert unpack_fact(merged).size_bytes == unpack_fact(known).size_bytes
    assert (unpack_fact(merged).tier, day_of(merged)) == (Tier.NODE, 20_001)
    assert with_known_size(other, known) == other


@given(st.one_of(keys, repositories), names, days)
def test_a_bucket_gives_back_what_was_put_in(key: bytes, member: str, day: int) -> None:
    bucket = bucket_for(key)
    value = FACT.pack(day) if bucket.is_of_images else day.to_bytes(2, "big")
    assert list(bucket.facts({field_of(key, member): value})) == [(key, member, day)]


def test_fields_of_another_form_are_left_out() -> None:
    content = {b"short": b"1234", b"x" * 20: b"12345"}
    assert list(Bucket(1, is_of_images=True).facts(content)) == []


@given(
    st.one_of(
        st.builds(
            Changes,
            names,
            st.dictionaries(keys, facts, max_size=5),
            st.dictionaries(repositories, days, max_size=5),
        ),
        st.builds(Written, names),
        st.just(Reload()),
    )
)
def test_news_come_out_as_they_went_in(news: FactNews) -> None:
    assert decode(encode(news)) == news


@pytest.mark.parametrize("body", [encode(Changes("a", {b"k" * 16: 1}))[:-1], b"\x09\0\0\0\0\0"])
def test_news_that_cannot_be_read_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="news of facts"):
        decode(body)


# Few members and keys, so that they meet; numbers that look like entries' other parts.
_numbers = st.sampled_from([0, 1, 2, 256, 257, 65_535])
_changes = st.lists(
    st.tuples(
        st.sampled_from([b"a", b"b"]), _numbers, st.sampled_from([0, 1, 257, 65_793, 2**32 - 1])
    )
)


@given(_changes)
def test_a_packed_table_is_a_table(changes: list[tuple[bytes, int, int]]) -> None:
    table, model = PackedTable(4), dict[tuple[bytes, int], int]()
    for key, number, value in changes:
        before = table.put(key, number, value) if value else table.drop(key, number)
        assert before == model.get((key, number), 0)
        if value:
            model[key, number] = value
        else:
            model.pop((key, number), None)
    found = {(key, n): v for key in (b"a", b"b") for n, v in table.entries(table.row(key))}
    assert found == model
    assert table.value_count == len(model)
    assert len(table) == len({key for key, _ in model})
