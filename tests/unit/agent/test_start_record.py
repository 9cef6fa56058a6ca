"""Whose failure it is that a server ended by itself."""

from binder_federation.cluster_agent.core.start_record import (
    MOST_IMAGES,
    WELL_SECONDS,
    StartRecord,
)


def test_nothing_started_here_yet_says_nothing_of_an_image() -> None:
    assert not StartRecord().blames_image("new", now=0.0)


def test_an_image_is_blamed_where_others_start() -> None:
    record = StartRecord()
    record.note_ready("good", now=0.0)
    assert record.blames_image("bad", now=1.0)
    assert record.blames_image("worse", now=2.0), "one bad image does not excuse another"


def test_an_image_that_has_started_here_makes_the_member_doubtful() -> None:
    record = StartRecord()
    record.note_ready("good", now=0.0)
    assert not record.blames_image("good", now=1.0)
    assert not record.blames_image("new", now=2.0), "servers of good images end here too"
    record.note_ready("other", now=3.0)
    assert record.blames_image("new", now=4.0)


def test_what_started_long_ago_says_nothing_of_today() -> None:
    record = StartRecord()
    record.note_ready("good", now=0.0)
    assert record.blames_image("new", now=WELL_SECONDS)
    assert not record.blames_image("new", now=WELL_SECONDS + 1)


def test_the_least_recent_images_are_forgotten() -> None:
    record = StartRecord()
    for number in range(MOST_IMAGES):
        record.note_ready(f"image-{number}", now=0.0)
    record.note_ready("image-0", now=1.0)
    record.note_ready("one-more", now=2.0)
    assert not record.blames_image("image-0", now=3.0), "it was used a moment ago"
    record.note_ready("any", now=4.0)
    assert record.blames_image("image-1", now=5.0)
