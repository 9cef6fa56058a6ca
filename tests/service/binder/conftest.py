"""Real servers for the providers' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.fake_bitbucket import FakeBitbucket
from tests.support.fake_github import FakeGitHub
from tests.support.fake_gitlab import FakeGitLab
from tests.support.git_server import GitServer


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """What the providers ask with."""
    async with httpx.AsyncClient(timeout=5) as client:
        yield client


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[FakeGitHub]:
    """A GitHub without repositories."""
    async with FakeGitHub(tmp_path / "github") as github:
        yield github


@pytest.fixture
async def gitlab(tmp_path: Path) -> AsyncIterator[FakeGitLab]:
    """A GitLab without projects."""
    async with FakeGitLab(tmp_path / "gitlab") as gitlab:
        yield gitlab


@pytest.fixture
async def bitbucket(tmp_path: Path) -> AsyncIterator[FakeBitbucket]:
    """A Bitbucket without repositories."""
    async with FakeBitbucket(tmp_path / "bitbucket") as bitbucket:
        yield bitbucket


@pytest.fixture
async def git_server(tmp_path: Path) -> AsyncIterator[GitServer]:
    """A git host without repositories."""
    async with GitServer(tmp_path / "git") as server:
        yield server
