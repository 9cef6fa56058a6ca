"""Launches with known secrets everywhere, then a look through all that both services wrote."""

import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import structlog

from binder_federation.runtime.log_format import LogFormat
from binder_federation.runtime.logs import configure_logs
from tests.support.agent_server import CREDENTIAL, PATH, running_agent
from tests.support.fake_member import FakeMember
from tests.support.federation_server import running_federation

ADMIN = "an-admin-token-for-tests-only"
GIT_PASSWORD = "a-git-password-for-tests"
VISITOR = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ2aXNpdG9yIn0.c2lnbmF0dXJlLW9mLXZpc2l0b3I"
INVITATION = "bfi_abcdef.the-secret-of-an-invitation"
HUB_TOKEN = "hub-token"
SECRETS = (CREDENTIAL, ADMIN, GIT_PASSWORD, VISITOR, INVITATION, HUB_TOKEN)
LOG = structlog.get_logger("tests")


@pytest.fixture(params=["json", "ecs", "console"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged in this process from here on, with no secrets told beforehand."""
    form: LogFormat = request.param
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs(level="debug", format_=form, stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_no_log_of_both_services_tells_a_secret(written: io.StringIO) -> None:
    git = f"https://user:{GIT_PASSWORD}@127.0.0.1:9/owner/repository.git"
    async with running_agent(launch={"retries": 0}) as agent:
        member = FakeMember("alpha", port=urlsplit(agent.url).port or 0)
        async with running_federation([member], admin={"token": ADMIN}) as federation:
            client = federation.client
            await federation.launch(PATH, query=f"?build_token={VISITOR}")
            agent.stack.hub.starts_fail = True
            agent.stack.hub.failure = f"could not clone {git} with {INVITATION}"
            await federation.launch(PATH.replace("owner", "other"))
            path = f"git/{git.replace(':', '%3A').replace('/', '%2F')}/HEAD"
            await federation.launch(path)
            for token in (ADMIN, VISITOR, "wrong-but-long-enough"):
                headers = {"Authorization": f"Bearer {token}", "Cookie": f"binder={VISITOR}"}
                await client.get("/api/admin/explain/gh/o/r/HEAD", headers=headers)
                await client.post("/api/members/alpha/report", content=token, headers=headers)
            await agent.client.get(f"/build/{PATH}?build_token={VISITOR}")

    text = written.getvalue()
    told = [secret for secret in SECRETS if secret in text]
    assert told == [], f"the logs tell {told}"
    assert "attempt_begun" in text
    assert "spawn_failed" in text, "the hub's words were not logged, so nothing was tried"


@pytest.mark.parametrize("written", ["json"], indirect=True)
async def test_every_line_of_a_launch_names_it(written: io.StringIO) -> None:
    async with running_agent(launch={"retries": 0}) as agent:
        member = FakeMember("alpha", port=urlsplit(agent.url).port or 0)
        agent.stack.hub.starts_fail = True
        async with running_federation([member]) as federation:
            await federation.launch(PATH, headers={"X-Request-ID": "request1"})

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (begun,) = [line for line in lines if line["event"] == "attempt_begun"]
    (ended,) = [line for line in lines if line["event"] == "attempt_failed"]
    (at_member,) = [line for line in lines if line["event"] == "spawn_failed"]
    assert begun["launch"] == ended["launch"]
    assert begun["request_id"] == "request1"
    assert at_member["launch"] == begun["member_launch"]
