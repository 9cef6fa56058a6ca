"""Launches from every kind of forge reach a member in a form that it understands."""

from pathlib import Path

import pytest

from tests.service.binder.forge_cases import ALL, ForgeCase
from tests.support.fake_member import FakeMember
from tests.support.federation_server import running_federation


@pytest.mark.parametrize("case", ALL, ids=[case.provider for case in ALL])
async def test_a_launch_from_a_forge(case: ForgeCase, alpha: FakeMember, tmp_path: Path) -> None:
    async with case.server(tmp_path / "forge") as forge:
        repository = case.create(forge)
        commit, name = repository.head(), case.repository
        spec = f"{name}/HEAD"
        if case.provider in ("gl", "bitbucket"):
            name = name.replace("/", "%2F")
            commit = repository.branch("feature/x", {"x": "1"})
            spec = f"{name}/feature/x"
        providers = case.settings(forge).model_dump(exclude_unset=True)
        async with running_federation([alpha], providers=providers) as federation:
            seen = await federation.launch(f"{case.provider}/{spec}")
            assert seen.phases[-1] == "ready", seen.last
            assert alpha.paths == [f"{case.provider}/{name}/{commit}"]
            again = await federation.launch(f"{case.provider}/{name}/{commit}")
            assert again.phases[-1] == "ready", again.last
            assert len(set(alpha.paths)) == 1, "the branch and its commit are one image"
