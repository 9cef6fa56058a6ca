"""`traceparent` and `tracestate`: taken when well formed, else as if they were not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.runtime.trace_context import TraceContext, read_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
hexadecimal = st.text(alphabet="0123456789abcdef", min_size=16, max_size=16)


def test_a_well_formed_parent_is_taken_and_passed_on() -> None:
    found = read_trace({"traceparent": PARENT, "tracestate": "congo=t61rcWkgMzE, rojo=00f067"})

    assert found == TraceContext(TRACE, SPAN, "01", "congo=t61rcWkgMzE,rojo=00f067")
    assert found.is_sampled
    assert found.headers() == {
        "traceparent": PARENT,
        "tracestate": "congo=t61rcWkgMzE,rojo=00f067",
    }


def test_a_later_version_is_read_as_ours() -> None:
    found = read_trace({"traceparent": f"01-{TRACE}-{SPAN}-03-what-comes-then"})

    assert found is not None
    assert found.headers() == {"traceparent": PARENT}


@pytest.mark.parametrize(
    "given",
    [
        "",
        "00",
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"{PARENT}-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-01, {PARENT}",
        f"{PARENT}\n",
        "01-" + "a" * 5000,
    ],
)
def test_a_malformed_parent_is_ignored(given: str) -> None:
    assert read_trace({"traceparent": given, "tracestate": "a=b"}) is None


@pytest.mark.parametrize(
    "state",
    [
        "a",
        "a=b,a=c",
        "A=b",
        "=b",
        "a=b\x00",
        "a=" + "b" * 600,
        ",".join(f"k{i}=1" for i in range(40)),
    ],
)
def test_a_malformed_state_is_left_out(state: str) -> None:
    assert read_trace({"traceparent": PARENT, "tracestate": state}) == TraceContext(
        TRACE, SPAN, "01"
    )


@given(first=hexadecimal, second=hexadecimal, span=hexadecimal, flags=st.sampled_from(["00", "01"]))
def test_what_is_passed_on_is_read_again(first: str, second: str, span: str, flags: str) -> None:
    context = TraceContext(first + second, span, flags)
    is_nothing = set(first + second) == {"0"} or set(span) == {"0"}

    assert read_trace(context.headers()) == (None if is_nothing else context)


@given(given=st.text(max_size=80), state=st.text(max_size=80))
def test_nothing_that_somebody_sends_is_an_error(given: str, state: str) -> None:
    read_trace({"traceparent": given, "tracestate": state})
    read_trace({"traceparent": PARENT, "tracestate": state})
