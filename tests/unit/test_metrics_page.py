"""docs/metrics.md has every metric, and every metric a name by the rules."""

from tests.support.metrics_reference import PAGE, make_page


def test_the_page_is_what_the_registries_say() -> None:
    written = PAGE.read_text(encoding="utf-8")

    assert written == make_page(), "run `python -m tests.support.metrics_reference`"
