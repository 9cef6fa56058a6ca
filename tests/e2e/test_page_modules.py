"""The loading page's pure modules: terminal, countdown, progress, failures in words."""

from typing import Any

import pytest

from tests.support.page_modules import Modules

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

TERMINAL = """({ Terminal }, pieces) => {
  const terminal = new Terminal();
  const lines = pieces.flatMap((piece) => terminal.write(piece));
  const show = (runs) => runs.map(({ text, classes }) => [text, ...classes]);
  return [...lines, terminal.line].map(show);
}"""


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["a\nb"], [[["a"]], [["b"]]]),
        (["\x1b[1;31mred\x1b[0m plain\n"], [[["red", "ansi-red", "ansi-bold"], [" plain"]], []]),
        (["\x1b[3", "2mgreen"], [[["green", "ansi-green"]]]),
        (["\x1b[38;5;4mx\x1b[38;2;1;2;3my"], [[["x", "ansi-blue"], ["y"]]]),
        (["\x1b[97;41mx\x1b[49my"], [[["x", "ansi-white", "ansi-on-red"], ["y", "ansi-white"]]]),
        (["10%\r20%\r100%\n"], [[["100%"]], []]),
        (["long line\rshort"], [[["shortline"]]]),
        (["long line\r\x1b[Kshort"], [[["short"]]]),
        (["a\r\nb\n"], [[["a"]], [["b"]], []]),
        (["\x1b]0;title\x07x\x1b]8;;http://h\x1b\\y"], [[["xy"]]]),
        (["\x1b[2J\x1b[?25l\x1b(Bx\x07"], [[["x"]]]),
        (["ab\b\bc"], [[["cb"]]]),
        (["a\tb"], [[["a       b"]]]),
        (["<img src=x onerror=alert(1)>"], [[["<img src=x onerror=alert(1)>"]]]),
        (["naïve 🎈"], [[["naïve 🎈"]]]),
    ],
)
async def test_the_terminal(modules: Modules, pieces: list[str], lines: list[Any]) -> None:
    assert await modules.run("ansi.js", TERMINAL, pieces) == lines


async def test_the_terminal_keeps_a_line_and_a_sequence_bounded(modules: Modules) -> None:
    lines = await modules.run("ansi.js", TERMINAL, ["x" * 20_000, "\n", "\x1b]" + "y" * 9000])
    assert len(lines[0][0][0]) == 4000
    assert lines[1][0][0].startswith("]yyy"), "an escape that never ends hides nothing"


COUNTDOWN = """({ Countdown }, steps) => {
  const countdown = new Countdown();
  return steps.map(([now, key, seconds]) => {
    if (key) countdown.observe(key, seconds ?? undefined, now);
    return countdown.text(now);
  });
}"""


async def test_the_countdown_tells_a_story(modules: Modules) -> None:
    story = [
        (0, None, None, ""),
        (0, "waiting", 200, "about 3 minutes left"),
        (2, "building", 40, "about 40 seconds left"),
        (12, None, None, "about 30 seconds left"),
        (12, "building", 55, "about 30 seconds left"),
        (12, "building", 20, "about 20 seconds left"),
        (31, None, None, "about 1 second left"),
        (32, None, None, "any moment now"),
        (51, None, None, "any moment now"),
        (52, None, None, "taking longer than usual"),
        (53, "launching", 3, "about 3 seconds left"),
        (54, "launching", None, "about 2 seconds left"),
    ]
    texts = await modules.run("countdown.js", COUNTDOWN, [step[:3] for step in story])
    assert texts == [step[3] for step in story]


PROGRESS = """({ Progress }, steps) => {
  const progress = new Progress(0);
  return steps.map(([now, phase, left]) => {
    if (phase === "over") progress.startOver();
    else progress.enter(phase);
    return [progress.phase, progress.share(left, now)];
  });
}"""


async def test_progress_goes_forward_until_the_launch_starts_over(modules: Modules) -> None:
    steps = [
        (0, "waiting", None),
        (1, "building", 40),
        (20, "building", 20),
        (21, "nonsense", 60),
        (21, "launching", 3),
        (60, "launching", 0),
        (61, "over", 60),
        (62, "ready", None),
    ]
    answers = await modules.run("progress.js", PROGRESS, steps)
    shares = [share for _, share in answers]
    assert [phase for phase, _ in answers] == [
        "waiting", "building", "building", "building", "launching", "launching", "waiting", "ready",
    ]  # fmt: skip
    assert shares[:6] == sorted(shares[:6])
    assert shares[2] == pytest.approx(0.5)
    assert shares[5] < 1
    assert shares[6] < shares[5]
    assert shares[7] == 1


@pytest.mark.parametrize(
    ("event", "title", "blame"),
    [
        ({"code": "build_failed", "fault": "repository"}, "does not build", "Its author"),
        ({"code": "ref_not_found", "fault": "repository"}, "no such branch", "Its author"),
        ({"code": "provider_unavailable", "fault": "provider"}, "GitHub does not", "GitHub"),
        ({"code": "launch_failed", "fault": "member", "member": "alpha"}, "alpha", "a member"),
        ({"code": "internal_error", "fault": "federation"}, "failed", "ours"),
        ({"code": "invalid_spec", "fault": "request"}, "cannot be launched", "The link"),
        ({}, "The launch failed", "ours"),
    ],
)
async def test_a_failure_says_whose_it_is(
    modules: Modules, event: dict[str, str], title: str, blame: str
) -> None:
    names = {"source": "GitHub", "member": "alpha"}
    told = await modules.call("failure.js", "describeFailure", event, names)
    assert title in told["title"]
    assert blame in told["blame"]
    assert told["advice"]
    assert told["waitSeconds"] is None


async def test_only_a_full_federation_is_tried_again_by_itself(modules: Modules) -> None:
    full = {"code": "no_eligible_member", "retryable": True, "retry_after_seconds": 0.4}
    told = await modules.call("failure.js", "describeFailure", full, {"source": "", "member": ""})
    assert told["waitSeconds"] == 3
    limited = {**full, "code": "rate_limited", "retry_after_seconds": 60}
    told = await modules.call(
        "failure.js", "describeFailure", limited, {"source": "", "member": ""}
    )
    assert (told["waitSeconds"], told["isAutomatic"]) == (60, False)
