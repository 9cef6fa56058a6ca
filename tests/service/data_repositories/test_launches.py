"""One launch from each data repository through a federation and a real agent.

The federation resolves, once; the member builds that and is asked for nothing else.
"""

from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.providers import make_providers
from binder_federation.binder.providers.base import FileSource
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import ImageKey
from tests.service.data_repositories.sites import CASES, Case, ZenodoCase
from tests.support.agent_server import CREDENTIAL, AgentServer, running_agent
from tests.support.fake_member import FakeMember
from tests.support.federation_server import FederationServer, running_federation

FILES = {"environment.yml": "name: x", "index.ipynb": "{}"}


@dataclass
class AgentMember(FakeMember):
    """The agent as the federation's settings name it."""

    agent_url: str = ""

    @property
    def url(self) -> str:
        return self.agent_url


def member_of(agent: AgentServer) -> FakeMember:
    return AgentMember("alpha", CREDENTIAL, agent_url=agent.url)


def expected_key(case: Case, raw: str) -> ImageKey:
    """What the image of the newest version is called."""
    provider = make_providers(case.settings(), httpx.AsyncClient(verify=False))[case.provider]  # noqa: S501
    spec = provider.parse(raw)
    versions = {
        "zenodo": ("10.5281/zenodo.101", "101"),
        "figshare": ("10.6084/m9.figshare.7", "7.v1"),
        "dataverse": (spec.repository, "9.v1.0"),
        "hydroshare": (spec.repository, f"{spec.repository}.v1714557610"),
        "ckan": (spec.repository, "rivers.v1714557610"),
    }
    repository, resolved_ref = versions[case.provider]
    return ResolvedSpec(spec.named(repository), resolved_ref).image_key


@pytest.mark.parametrize("make_case", CASES, ids=[it.provider for it in CASES])
async def test_a_launch_and_the_next_one(make_case: type[Case], tmp_path: Path) -> None:
    case = make_case()
    async with (
        case.site,
        case.doi,
        running_agent(state_dir=tmp_path, providers=case.settings()) as agent,
        running_federation([member_of(agent)], providers=case.settings()) as federation,
    ):
        raw = case.publish(FILES)
        if case.provider == "zenodo":
            raw = "10.5281/zenodo.100"  # the DOI of all versions
        seen = await federation.launch(f"{case.provider}/{raw}")
        assert seen.last.phase is Phase.READY, seen.last
        (plan,) = agent.stack.builder.plans
        assert plan.key == expected_key(case, raw), "the members' facts are of another image"
        assert isinstance(plan.source, FileSource)
        assert sorted(it.path for it in plan.source.files) == sorted(FILES)
        assert seen.last.fields["binder_request"] == f"v2/{case.provider}/{raw}"
        asked = len(case.site.requests) + len(case.doi.requests)
        again = await federation.launch(f"{case.provider}/{raw}")
        assert again.last.phase is Phase.READY
        assert len(agent.stack.builder.plans) == 1, "the image was there"
        assert len(case.site.requests) + len(case.doi.requests) == asked, "all that was known"


async def test_a_member_does_not_resolve_again(tmp_path: Path) -> None:
    """A version that came out in between is not what this launch was told."""
    case = ZenodoCase()
    async with (
        case.site,
        case.doi,
        running_agent(state_dir=tmp_path, providers=case.settings()) as agent,
        running_federation([member_of(agent)], providers=case.settings()) as federation,
    ):
        case.publish(FILES)
        await federation.launch("zenodo/10.5281/zenodo.100")
        case.site.publish(100, 200, FILES)
        await federation.launch("zenodo/10.5281/zenodo.100")
        assert len(agent.stack.builder.plans) == 1
        records = [path for path in case.site.paths if not path.endswith("/files")]
        assert records == ["/api/records/100", "/api/records/101"], "asked once, by the federation"


async def test_a_persistent_link_names_the_version(tmp_path: Path) -> None:
    case = ZenodoCase()
    async with (
        case.site,
        case.doi,
        running_agent(state_dir=tmp_path, providers=case.settings()) as agent,
        running_federation([member_of(agent)], providers=case.settings()) as federation,
    ):
        case.publish(FILES)
        seen = await launch(federation, "zenodo/10.5281/zenodo.100")
        version = "10.5281/zenodo.101"
        assert seen["binder_persistent_request"] == f"v2/zenodo/{version}"
        assert seen["binder_ref_url"] == f"{case.doi.url}/{version}"


async def test_an_agent_alone_resolves_itself(tmp_path: Path) -> None:
    case = ZenodoCase()
    async with (
        case.site,
        case.doi,
        running_agent(state_dir=tmp_path, providers=case.settings(), open_builds=True) as agent,
    ):
        case.publish(FILES)
        seen = await agent.launch("zenodo/10.5281/zenodo.100")
        assert seen.last.phase is Phase.READY, seen.last
        (plan,) = agent.stack.builder.plans
        assert plan.key == expected_key(case, "10.5281/zenodo.100")


async def test_what_is_not_there_is_told_once() -> None:
    case = ZenodoCase()
    member = FakeMember("alpha")
    await member.start()
    try:
        async with (
            case.site,
            case.doi,
            running_federation([member], providers=case.settings()) as federation,
        ):
            seen = await federation.launch("zenodo/10.5281/zenodo.404")
            assert seen.last.phase is Phase.FAILED
            assert seen.last.fields["code"] == "repository_not_found"
            assert "There is no record 10.5281/zenodo.404" in seen.last.message
            assert member.paths == []
    finally:
        await member.stop()


async def test_a_provider_that_is_down_serves_what_is_known() -> None:
    case = ZenodoCase()
    member = FakeMember("alpha")
    await member.start()
    try:
        async with case.site, case.doi:
            case.publish(FILES)
            settings = case.settings(ref_lifetime_seconds=1e-6)
            async with running_federation([member], providers=settings) as federation:
                await federation.launch("zenodo/10.5281/zenodo.100")
                case.site.fail_next(3)
                seen = await federation.launch("zenodo/10.5281/zenodo.100")
                assert seen.last.phase is Phase.READY
                text = "".join(event.message for event in seen.events)
                assert "Zenodo does not answer now" in text, "visitors are told that it is old"
                assert set(member.paths) == {"zenodo/10.5281/zenodo.101"}
    finally:
        await member.stop()


async def launch(federation: FederationServer, path: str) -> dict[str, object]:
    seen = await federation.launch(path)
    assert seen.last.phase is Phase.READY, seen.last
    return dict(seen.last.fields)


async def test_a_banned_version_is_not_launched_by_the_doi_of_all_versions(tmp_path: Path) -> None:
    case = ZenodoCase()
    member = FakeMember("alpha")
    await member.start()
    policy = {"banned_specs": [{"pattern": "zenodo/10.5281/zenodo.101"}]}
    try:
        async with (
            case.site,
            case.doi,
            running_federation([member], providers=case.settings(), policy=policy) as federation,
        ):
            case.publish(FILES)
            seen = await federation.launch("zenodo/10.5281/zenodo.100")
    finally:
        await member.stop()

    assert seen.last.fields["code"] == "spec_banned"
    assert not member.paths, "the member was asked all the same"
