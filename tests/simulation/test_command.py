"""`binderfed simulate` as it is typed."""

import json
import sys
from pathlib import Path

import pytest

from binder_federation.federation.cli.main import main
from binder_federation.federation.simulation.plot import check_plot
from binder_federation.federation.simulation.settings import SimulationError

SMALL = ("simulate", "--days", "1", "--warm-up", "0.3", "--launches-per-day", "600")


def test_tells_everything_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status = main([*SMALL, "--json", "--jobs", "1", "--policy", "ours", "--policy", "random"])
    answer = json.loads(capsys.readouterr().out)
    assert status == 0, "it worked"
    assert [run["policy"] for run in answer["runs"]] == ["ours", "random"], "in the order asked"
    ours = answer["runs"][0]
    assert ours["mean_seconds"] >= ours["bound_seconds"] > 0, "the bound is below"
    assert 0 < answer["avoidable_of_random"]["ours"] < 1, "and ours below random"
    assert answer["assumptions"]["build_median_seconds"] == 180, "what is assumed is told"


def test_prints_a_table_from_a_trace_with_an_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "launches.csv"
    lines = [f"{minute},{minute % 7},{minute % 7}\n" for minute in range(0, 2880, 5)]
    trace.write_text("minute,repository,spec\n" + "".join(lines))
    options = ["--policy", "ours", "--explain-losses", "--lose", "member-1@1d12h+1h"]
    assert main(["simulate", "--trace", str(trace), "--warm-up", "1", *options]) == 0, "it worked"
    output = capsys.readouterr().out
    for words in ("lower bound", "duplicates", "first build", "ours: member-1 lost", "Assumed"):
        assert words in output, f"the output has {words!r}"


def test_workers_come_to_the_same_as_one_process(capsys: pytest.CaptureFixture[str]) -> None:
    command = [*SMALL, "--json", "--policy", "random", "--policy", "oracle"]
    answers = []
    for jobs in ("1", "2"):
        assert main([*command, "--jobs", jobs]) == 0, "it worked"
        answers.append(json.loads(capsys.readouterr().out)["runs"])
    for run in answers[0] + answers[1]:
        del run["decisions_per_second"]
    assert answers[0] == answers[1], "numbers do not depend on where they are worked out"


def test_draws_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "result.png"
    assert main([*SMALL, "--policy", "random", "--plot", str(picture)]) == 0, "it worked"
    assert picture.read_bytes().startswith(b"\x89PNG"), "a PNG file"


def test_says_how_to_install_what_a_picture_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SimulationError) as raised:
        check_plot(Path("result.png"))
    assert raised.value.advice == "Install it with: pip install 'binder-federation[plot]'", "how"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trace", "/nowhere.csv"], "/nowhere.csv cannot be read"),
        (["--warm-up", "3", "--days", "2"], "leaves nothing of a trace"),
        (["--lose", "nobody@1h+1h"], "There is no member 'nobody'"),
        (["--plot", "/nowhere/x.png"], "its folder does not exist"),
        (["--plot", "picture.jpg"], "must end in .png"),
    ],
)
def test_what_cannot_be_simulated_is_one_sentence(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([*SMALL, *options])
    errors = capsys.readouterr().err
    assert status == 1, "it failed"
    assert words in errors, "and says why"
    assert "Traceback" not in errors, "in a sentence"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--members", "0"], "must be above 0"),
        (["--members", "2.5"], "must be a whole number"),
        (["--policy", "magic"], "invalid choice"),
        (["--utilisation", "1.2"], "must be a share"),
        (["--days", "many"], "'many' is not a number"),
        (["--lose", "member-1"], "must be MEMBER@TIME+DURATION"),
        (["--trace", "x.csv", "--synthetic"], "not allowed with"),
    ],
)
def test_what_is_not_understood_ends_with_status_2(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["simulate", *options])
    assert raised.value.code == 2, "as every command"
    assert words in capsys.readouterr().err, "with what is wrong"
