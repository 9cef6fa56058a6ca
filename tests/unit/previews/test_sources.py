"""Where files are."""

from pydantic import SecretStr

from binder_federation.config.providers import GistSettings, GitHubSettings, ProviderSettings
from binder_federation.federation.previews.sources import FileAddress, FileSources

SHA = "1" * 40


def test_githubs_raw_files_cost_no_quota_and_get_no_credentials() -> None:
    settings = ProviderSettings(github=GitHubSettings(token=SecretStr("t" * 20)))
    address = FileSources(settings).address("gh", "o/r", SHA, "a b/#.ipynb")
    raw = f"https://raw.githubusercontent.com/o/r/{SHA}/a%20b/%23.ipynb"
    assert address == FileAddress(raw)


def test_an_enterprise_host_is_asked_through_its_api() -> None:
    github = GitHubSettings(
        url="https://git.uni.example",
        api_url="https://git.uni.example/api/v3/",
        token=SecretStr("t" * 20),
    )
    address = FileSources(ProviderSettings(github=github)).address("gh", "o/r", SHA, "a.ipynb")
    assert address is not None
    assert address.url == f"https://git.uni.example/api/v3/repos/o/r/contents/a.ipynb?ref={SHA}"
    assert address.headers["Authorization"] == f"Bearer {'t' * 20}"
    assert "t" * 20 not in repr(address)


def test_a_gist_has_its_files_at_its_own_host() -> None:
    sources = FileSources(ProviderSettings())
    address = sources.address("gist", "user/abc", SHA, "a.ipynb")
    assert address == FileAddress(f"https://gist.githubusercontent.com/user/abc/raw/{SHA}/a.ipynb")
    assert sources.address("gist", "user/abc", SHA, "folder/a.ipynb") is None
    elsewhere = ProviderSettings(gist=GistSettings(url="https://gist.uni.example"))
    assert FileSources(elsewhere).address("gist", "user/abc", SHA, "a.ipynb") is None
    assert sources.address("gl", "o/r", SHA, "a.ipynb") is None
