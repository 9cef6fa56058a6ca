"""A log that is read in pieces is whole, and nothing in it comes twice."""

from hypothesis import given
from hypothesis import strategies as st

from binder_federation.cluster_agent.stacks.kubernetes.build_logs import LogPosition
from binder_federation.cluster_agent.stacks.kubernetes.log_stream import LONGEST_LINE, LineSplitter


def stamp(nanoseconds: int) -> str:
    """A time as the cluster writes it: zeros at the fraction's end are left out."""
    fraction = f"{nanoseconds % 10**9:09}".rstrip("0")
    seconds = f"2026-01-01T00:00:{nanoseconds // 10**9:02}"
    return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"


moments = st.lists(st.sampled_from([n * 250_000_000 for n in range(12)]), max_size=30).map(sorted)


@given(times=moments, cuts=st.lists(st.integers(0, 30), max_size=6))
def test_every_line_comes_once(times: list[int], cuts: list[int]) -> None:
    lines = [f"{stamp(time)} line {number}" for number, time in enumerate(times)]
    position, seen = LogPosition(), []
    for cut in [*cuts, len(lines)]:
        position.reconnect()
        # The API gives the log from the second of `since` on.
        since = position.since[:19]
        for line in [line for line in lines if line[:19] >= since][:cut]:
            text = position.take(line)
            if text is not None:
                seen.append(text)
    position.reconnect()
    seen += [text for line in lines if (text := position.take(line)) is not None]
    assert seen == [f"line {number}" for number in range(len(lines))]


def test_a_line_without_a_time_is_shown_as_it_is() -> None:
    assert LogPosition().take("unable to retrieve container logs") is not None


@given(
    text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=50),
    size=st.integers(1, 7),
)
def test_lines_are_whole_however_they_arrive(text: str, size: int) -> None:
    data = f"{text}\nsecond\r\nlast".encode()
    splitter = LineSplitter()
    lines = []
    for start in range(0, len(data), size):
        lines += splitter.feed(data[start : start + size])
    assert [*lines, *splitter.finish()] == [text, "second", "last"]


def test_a_line_without_an_end_is_cut() -> None:
    splitter = LineSplitter()
    lines = [line for _ in range(100) for line in splitter.feed(b"x" * 1000)]
    assert lines
    assert all(len(line) <= LONGEST_LINE for line in lines)
