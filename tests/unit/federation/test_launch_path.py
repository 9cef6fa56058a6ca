"""What somebody may type after `binderfed launch`."""

import pytest

from binder_federation.federation.cli.launch import launch_path


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("gh/owner/repository/HEAD", "gh/owner/repository/HEAD"),
        ("/gh/owner/repository/feature/x/", "gh/owner/repository/feature/x"),
        ("git/https%3A%2F%2Fx.org%2Fy/v1", "git/https%3A%2F%2Fx.org%2Fy/v1"),
        ("https://mybinder.org/v2/gh/o/r/HEAD?labpath=a.ipynb", "gh/o/r/HEAD"),
        (
            "https://example.org/team/code.git",
            "git/https%3A%2F%2Fexample.org%2Fteam%2Fcode.git/HEAD",
        ),
        ("gh/owner/a b/HEAD", "gh/owner/a%20b/HEAD"),
    ],
)
def test_launch_path(typed: str, path: str) -> None:
    assert launch_path(typed) == path
