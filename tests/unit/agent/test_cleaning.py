"""Images, sizes and last uses → what goes, and in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.cleaning import StoredImage, choose_removals


def image(name: str, size: int, last_used: float) -> StoredImage:
    return StoredImage(ImageKey(name), size, last_used)


FOUR = (image("a", 30, 1), image("b", 30, 4), image("c", 30, 2), image("d", 30, 3))


@pytest.mark.parametrize(
    ("limit", "share", "in_use", "expected"),
    [
        (120, 0.5, "", ""),  # just full is not too full
        (119, 1.0, "", "a"),  # one is enough for a low mark at the high one
        (119, 0.75, "", "ac"),  # 90 is above 0.75 × 119
        (100, 0.6, "", "ac"),  # 60 is the low mark itself
        (100, 0.6, "a", "cd"),  # what is in use stays, the next goes
        (100, 0.6, "abcd", ""),  # everything is in use
        (1, 0.5, "b", "acd"),  # the marks cannot hold
    ],
)
def test_the_least_recently_launched_go(
    limit: int, share: float, in_use: str, expected: str
) -> None:
    keys = {ImageKey(name) for name in in_use}
    removed = choose_removals(FOUR, limit_bytes=limit, low_water_share=share, in_use=keys)
    assert "".join(removed) == expected


images = st.lists(
    st.builds(
        StoredImage,
        st.sampled_from([ImageKey(f"image-{number}") for number in range(12)]),
        st.integers(0, 100),
        st.floats(0, 1e9),
    ),
    unique_by=lambda image: image.key,
)


@given(images, st.integers(1, 600), st.floats(0.01, 1), st.data())
def test_cleaning_holds_the_marks_and_takes_no_more(
    stored: list[StoredImage], limit: int, share: float, data: st.DataObject
) -> None:
    names = [image.key for image in stored] or [ImageKey("none")]
    in_use = data.draw(st.sets(st.sampled_from(names)))
    removed = choose_removals(stored, limit_bytes=limit, low_water_share=share, in_use=in_use)
    by_key = {image.key: image for image in stored}
    total = sum(image.size_bytes for image in stored)

    assert not in_use & set(removed), "an image in use would go"
    assert len(set(removed)) == len(removed)
    if total <= limit:
        assert removed == (), "nothing may go below the high-water mark"
        return
    left = total - sum(by_key[key].size_bytes for key in removed)
    stays = [image for image in stored if image.key not in removed]
    low = limit * share
    assert left <= low or all(image.key in in_use for image in stays), "too much stays"
    if removed:
        assert left + by_key[removed[-1]].size_bytes > low, "one more went than had to"
        newest = max(by_key[key].last_used for key in removed)
        kept = [image.last_used for image in stays if image.key not in in_use]
        assert all(last_used >= newest for last_used in kept), "a less recently used one stays"
