"""Badges are well-formed pictures that say what they are."""

from xml.etree import ElementTree

import pytest

from binder_federation.federation.pages.badges import Word, draw_badge

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("has_logo", [False, True])
def test_a_badge_is_svg_with_a_name(has_logo: bool) -> None:
    svg = ElementTree.fromstring(draw_badge(has_logo=has_logo))  # noqa: S314 - our own text
    assert svg.tag == f"{SVG}svg"
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-label"] == "launch binder"
    assert [text.text for text in svg.iter(f"{SVG}text")] == ["launch", "binder"]


def test_the_logo_takes_room_of_its_own() -> None:
    plain = ElementTree.fromstring(draw_badge())  # noqa: S314 - our own text
    with_logo = ElementTree.fromstring(draw_badge(has_logo=True))  # noqa: S314 - our own text
    assert int(with_logo.attrib["width"]) > int(plain.attrib["width"])
    assert len(list(with_logo.iter(f"{SVG}circle"))) == 2


def test_words_are_escaped() -> None:
    svg = draw_badge(value=Word('<a href="x">', 60))
    assert "<a " not in svg
    assert ElementTree.fromstring(svg).attrib["aria-label"] == 'launch <a href="x">'  # noqa: S314
