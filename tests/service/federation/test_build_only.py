"""`build_only=true` makes an image and starts nothing: as BinderHub, through the federation."""

from urllib.parse import urlsplit

import pytest

from tests.support.agent_server import PATH, running_agent
from tests.support.fake_member import FakeMember
from tests.support.federation_server import running_federation


@pytest.mark.parametrize("value", ["true", "True"])
async def test_ready_has_the_images_name_and_no_server(value: str) -> None:
    async with running_agent() as agent:
        port = urlsplit(agent.url).port
        assert port is not None
        member = FakeMember("alpha", port=port)  # stands for its name and address only
        async with running_federation([member]) as federation:
            made = await federation.launch(PATH, query=f"?build_only={value}")
            found = await federation.launch(PATH, query=f"?build_only={value}")
            launched = await federation.launch(PATH)
        sessions = agent.context.sessions.usage().total

    assert "Image built" in made.last.message
    assert "Found built image" in found.last.message
    assert made.last.fields["imageName"] == found.last.fields["imageName"]
    assert not made.last.fields.keys() & {"url", "token"}, "there is no server"
    assert "launching" not in made.phases
    assert launched.last.fields["image"] == made.last.fields["imageName"]
    assert sessions == 1, "only the launch has a session"
