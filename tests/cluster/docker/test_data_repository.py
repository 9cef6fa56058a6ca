"""Images of records of data repositories, made by the real repo2docker on a real engine."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from binder_federation.binder.errors import BuildFailed
from binder_federation.binder.providers.base import Resolved
from binder_federation.cluster_agent.stacks.base import BuildPlan
from tests.service.data_repositories.sites import Asked, ZenodoCase, asked
from tests.support.docker_stack import docker, docker_settings, dockerfile, running_stack
from tests.support.local_stack import Progress

pytestmark = pytest.mark.usefixtures("docker_engine")


def zipped(base_image: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in dockerfile(base_image, "COPY data.csv /home/jovyan/").items():
            archive.writestr(f"owner-repo-1/{name}", content or "")
        archive.writestr("owner-repo-1/data.csv", "1,2")
    return data.getvalue()


async def plan_of(zenodo: Asked, doi: str) -> BuildPlan:
    spec = zenodo.parse(doi)
    resolved = await zenodo.provider.resolve(spec, None)
    assert isinstance(resolved, Resolved)
    spec, ref = spec.named(resolved.repository), resolved.resolved_ref
    source = await zenodo.provider.source(spec, ref)
    return BuildPlan(spec.image_key(ref), spec, ref, source)


async def test_an_image_of_a_zenodo_record(tmp_path: Path, base_image: str) -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        case.publish({"owner/repo-v1.zip": zipped(base_image)})
        plan = await plan_of(zenodo, "10.5281/zenodo.100")
        known = len(case.site.requests)
        settings = docker_settings(tmp_path / "state", providers=case.settings())
        progress = Progress()
        async with running_stack(settings) as stack:
            image = await stack.builder.build(plan, progress)
            assert await stack.images.find(plan.key) == image
            shown = docker("run", "--rm", image.reference, "cat", "/home/jovyan/data.csv")
            assert shown == "1,2"
            labels = json.loads(
                docker("image", "inspect", "-f", "{{json .Config.Labels}}", image.reference)
            )
        assert labels["repo2docker.repo"] == f"{case.doi.url}/10.5281/zenodo.101"
        assert labels["repo2docker.ref"] == "101"
        assert "Downloading owner/repo-v1.zip" in progress.text
        # Defect 15: what the record is was known, and nobody asked again while it was built.
        assert case.site.paths[known:] == ["/stored/0"]
        assert case.doi.requests == []


async def test_a_file_that_is_gone_is_the_repositorys_failure(
    tmp_path: Path, base_image: str
) -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        case.publish({"owner/repo-v1.zip": zipped(base_image)})
        plan = await plan_of(zenodo, "10.5281/zenodo.100")
        case.site.gone.add(0)
        settings = docker_settings(tmp_path / "state", providers=case.settings())
        async with running_stack(settings) as stack:
            with pytest.raises(BuildFailed, match="is not there any more"):
                await stack.builder.build(plan, Progress())
