"""The examples for continuous integration do what they say: their own commands are run."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation

EXAMPLES = Path(__file__).parents[3] / "examples" / "ci"
TOKEN = "a-token-of-the-continuous-integration"


def github_script() -> str:
    workflow = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text(encoding="utf-8"))
    (step,) = workflow["jobs"]["image"]["steps"]
    return str(step["run"])


def travis_script() -> str:
    (script,) = yaml.safe_load((EXAMPLES / "travis.yml").read_text(encoding="utf-8"))["script"]
    return str(script)


SCRIPTS = {"github-actions": github_script, "travis": travis_script}


def environment(federation: FederationServer, **changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "FEDERATION": federation.url,
        "SPEC": f"gh/owner/repository/{SHA}",
        "MEMBERS": '"all"',
        "TOKEN": TOKEN,
        "ASK_EVERY_SECONDS": "0.1",
        **changes,
    }


async def run(script: str, variables: dict[str, str]) -> tuple[int, str]:
    """Its status and output; GitHub and Travis CI run it with bash, the first with -e."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-o", "pipefail", "-c", script),
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.parametrize("name", SCRIPTS)
async def test_its_job_makes_the_image_everywhere_and_fails_when_a_member_does(
    name: str, alpha: FakeMember, beta: FakeMember
) -> None:
    builds: dict[str, Any] = {"tokens": [{"name": "ci", "token": TOKEN}], "anonymous": False}
    admin = {"token": "another-token-of-the-operators"}
    async with running_federation([alpha, beta], builds=builds, admin=admin) as federation:
        script = SCRIPTS[name]()
        status, output = await run(script, environment(federation))
        assert status == 0, output
        assert (alpha.builds.total(), beta.builds.total()) == (1, 1)

        beta.fail_next(Failure.BUILD_FAILS)
        other = environment(federation, SPEC=f"gh/owner/other/{SHA}")
        status, output = await run(script, other)
        assert status != 0, output
        assert "nosuchthing" in output, "the job's log says why"

        status, output = await run(script, environment(federation, TOKEN=""))
        assert status != 0, output
        assert "403" in output
