"""Links that people paste, links and badges that come out, and where a launch ends."""

import pytest

from tests.support.page_modules import Modules
from tests.support.scripted_federation import PROVIDERS, describe

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SHA = "0123456789abcdef0123456789abcdef01234567"
GH = {"provider": "gh", "repository": "o/r", "ref": "", "path": "", "pathKind": "file"}


def at_git(repository: str, **more: str) -> dict[str, str]:
    """What is read from the address of a repository that only git knows."""
    return {**GH, "provider": "git", "repository": repository, **more}


def at(provider: str, repository: str, **more: str) -> dict[str, str]:
    """What is read from the address of a repository of `provider`."""
    return {**GH, "provider": provider, "repository": repository, **more}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/o/r", GH),
        ("  https://github.com/o/r/  ", GH),
        ("http://www.github.com/o/r.git", GH),
        ("github.com/o/r", GH),
        ("o/r", GH),
        ("o/r.git", GH),
        ("o/r@v1.0", {**GH, "ref": "v1.0"}),
        ("git@github.com:o/r.git", GH),
        ("ssh://git@github.com/o/r.git", GH),
        ("git://github.com/o/r", GH),
        ("git+https://github.com/o/r.git", GH),
        ("https://github.com/o/r/issues/12", GH),
        ("https://github.com/o/r?tab=readme#usage", GH),
        ("https://github.com/o/r/tree/main", {**GH, "ref": "main"}),
        ("https://github.com/o/r/tree/main/notebooks", {**GH, "ref": "main", "path": "notebooks"}),
        ("https://github.com/o/r/tree/branch/with/slash", {**GH, "ref": "branch/with/slash"}),
        ("https://github.com/o/r/tree/refs/heads/x", {**GH, "ref": "x"}),
        ("https://github.com/o/r/blob/dev/a/nb.ipynb", {**GH, "ref": "dev", "path": "a/nb.ipynb"}),
        (
            "https://github.com/o/r/blob/main/a%20b%23.ipynb",
            {**GH, "ref": "main", "path": "a b#.ipynb"},
        ),
        (f"https://github.com/o/r/commit/{SHA}", {**GH, "ref": SHA}),
        ("https://github.com/o/r/releases/tag/v2", {**GH, "ref": "v2"}),
        (
            "https://raw.githubusercontent.com/o/r/main/x.ipynb",
            {**GH, "ref": "main", "path": "x.ipynb"},
        ),
        (
            "https://nbviewer.org/github/o/r/blob/main/x.ipynb",
            {**GH, "ref": "main", "path": "x.ipynb"},
        ),
        (
            "https://mybinder.org/v2/gh/o/r/a/b?urlpath=lab%2Ftree%2Fx.ipynb",
            {**GH, "ref": "a/b", "path": "lab/tree/x.ipynb", "pathKind": "url"},
        ),
        (
            "https://notebooks.example.org/binder/v2/gh/o/r/HEAD?filepath=x.ipynb",
            {**GH, "ref": "HEAD", "path": "x.ipynb"},
        ),
        ("/v2/gh/o/r/HEAD", {**GH, "ref": "HEAD"}),
        ("v2/gh/o/r", GH),
        (
            "https://mybinder.org/v2/git/https%3A%2F%2Fhost%2Fr.git/main",
            at_git("https://host/r.git", ref="main"),
        ),
        ("https://host.example/r.git", at_git("https://host.example/r.git")),
        ("https://host.example:8443/a/b/c", at_git("https://host.example:8443/a/b/c")),
        ("http://127.0.0.1:3000/r", at_git("http://127.0.0.1:3000/r")),
        ("git@host.example:team/r.git", at_git("git@host.example:team/r.git")),
        ("ssh://git@host.example/r.git", at_git("ssh://git@host.example/r.git")),
        ("git://host.example/r", at_git("git://host.example/r")),
        ("file:///srv/examples/first", at_git("file:///srv/examples/first")),
        (
            "https://gitlab.com/group/sub/r/-/blob/main/nb.ipynb",
            at("gl", "group/sub/r", ref="main", path="nb.ipynb"),
        ),
        (
            "https://gitlab.com/group/r/-/tree/feature/x",
            at("gl", "group/r", ref="feature/x"),
        ),
        (
            "https://codeberg.org/o/r/src/branch/main/nb.ipynb",
            at_git("https://codeberg.org/o/r", ref="main", path="nb.ipynb"),
        ),
        (
            "https://bitbucket.org/o/r/src/main/a/nb.ipynb",
            at("bitbucket", "o/r", ref="main", path="a/nb.ipynb"),
        ),
    ],
)
async def test_links_are_read(modules: Modules, text: str, expected: dict[str, str]) -> None:
    found = await modules.call("parse-link.js", "parseLink", text, PROVIDERS)
    found.pop("note", None)
    assert found == expected


GIST = "0123456789abcdef0123456789abcdef"
DATASET = "https://demo.ckan.org/dataset/sample-1"


@pytest.mark.parametrize(
    ("text", "chosen", "expected"),
    [
        (f"https://gist.github.com/user/{GIST}", "", at("gist", f"user/{GIST}")),
        (f"https://gist.github.com/user/{GIST}/{SHA}", "", at("gist", f"user/{GIST}", ref=SHA)),
        (f"https://gist.github.com/user/{GIST}#file-a-ipynb", "", at("gist", f"user/{GIST}")),
        (f"git@gist.github.com:user/{GIST}.git", "", at("gist", f"user/{GIST}")),
        (f"https://nbviewer.org/gist/user/{GIST}", "", at("gist", f"user/{GIST}")),
        (f"user/{GIST}", "gist", at("gist", f"user/{GIST}")),
        ("https://gitlab.com/group/sub/r", "", at("gl", "group/sub/r")),
        ("git@gitlab.com:group/r.git", "", at("gl", "group/r")),
        ("group/sub/r", "gl", at("gl", "group/sub/r")),
        (
            "https://gitlab.com/g/r/-/blob/dev/a.ipynb",
            "gl",
            at("gl", "g/r", ref="dev", path="a.ipynb"),
        ),
        ("https://bitbucket.org/lab/r", "", at("bitbucket", "lab/r")),
        ("lab/r", "bitbucket", at("bitbucket", "lab/r")),
        ("10.5281/zenodo.3242074", "", at("zenodo", "10.5281/zenodo.3242074")),
        ("doi:10.5281/zenodo.3242074", "", at("zenodo", "10.5281/zenodo.3242074")),
        ("https://doi.org/10.5281/zenodo.3242074", "", at("zenodo", "10.5281/zenodo.3242074")),
        (
            "https://doi.org/10.5281%2Fzenodo.3242074",
            "zenodo",
            at("zenodo", "10.5281/zenodo.3242074"),
        ),
        ("https://zenodo.org/records/3242074", "", at("zenodo", "10.5281/zenodo.3242074")),
        ("https://zenodo.org/record/3242074#.XYZ", "", at("zenodo", "10.5281/zenodo.3242074")),
        (
            "https://zenodo.org/doi/10.5281/zenodo.3242074",
            "",
            at("zenodo", "10.5281/zenodo.3242074"),
        ),
        ("10.6084/m9.figshare.9782777.v1", "", at("figshare", "10.6084/m9.figshare.9782777.v1")),
        (
            "https://doi.org/10.6084/m9.figshare.9782777",
            "figshare",
            at("figshare", "10.6084/m9.figshare.9782777"),
        ),
        ("https://doi.org/10.7910/DVN/TJCLKP", "", at("dataverse", "10.7910/DVN/TJCLKP")),
        (
            "https://dataverse.harvard.edu/dataset.xhtml?persistentId=doi:10.7910/DVN/TJCLKP",
            "",
            at("dataverse", "10.7910/DVN/TJCLKP"),
        ),
        ("doi:10.18419/darus-1", "dataverse", at("dataverse", "10.18419/darus-1")),
        (f"https://www.hydroshare.org/resource/{GIST}/", "", at("hydroshare", GIST)),
        (GIST, "hydroshare", at("hydroshare", GIST)),
        (DATASET, "", at("ckan", DATASET)),
        (
            f"{DATASET}?activity_id=ab12cd34-5",
            "ckan",
            at("ckan", f"{DATASET}?activity_id=ab12cd34-5"),
        ),
        (
            f"https://mybinder.org/v2/gist/user/{GIST}/HEAD",
            "",
            at("gist", f"user/{GIST}", ref="HEAD"),
        ),
        ("https://mybinder.org/v2/gl/g%2Fs%2Fr/main", "", at("gl", "g/s/r", ref="main")),
        (
            "https://mybinder.org/v2/zenodo/10.5281/zenodo.3242074/?urlpath=lab",
            "",
            at("zenodo", "10.5281/zenodo.3242074", path="lab", pathKind="url"),
        ),
        (
            "https://mybinder.org/v2/ckan/https%3A%2F%2Fdemo.ckan.org%2Fdataset%2Fsample-1",
            "",
            at("ckan", DATASET),
        ),
    ],
)
async def test_every_provider_s_addresses_become_its_links(
    modules: Modules, text: str, chosen: str, expected: dict[str, str]
) -> None:
    found = await modules.call("parse-link.js", "parseLink", text, PROVIDERS, chosen)
    found.pop("note", None)
    assert found == expected
    display = next(each for each in PROVIDERS if each["id"] == found["provider"])
    choice = {**found, "ref": found["ref"] or display["ref"].get("default", "")}
    path = await modules.call("launch-link.js", "launchPath", choice, display)
    launch = path.removeprefix("v2/").partition("?")[0]
    assert describe(launch).provider_label == display["displayName"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not an address", "neither"),
        ("word", "neither"),
        ("https://github.com/owner", "names no repository"),
        ("https://github.com/", "names no repository"),
        ("https://me:secret@github.com/o/r", "password"),
        ("https://token@host.example/o/r", "password"),
        ("https://mybinder.org/v2/dat/10.5281/zenodo.1", "no provider “dat”"),
        ("https://mybinder.org/v2/gh/owner", "not whole"),
        ("https://github.com/o/%zz", "neither"),
        ("10.1234/unknown.5", "knows this DOI"),
        ("javascript:alert(1)", "neither"),
    ],
)
async def test_what_cannot_be_read_is_told(modules: Modules, text: str, words: str) -> None:
    found = await modules.call("parse-link.js", "parseLink", text, PROVIDERS)
    assert words in found.get("error", f"no error, but {found}")


async def test_a_picked_provider_decides(modules: Modules) -> None:
    url = "https://github.com/o/r/tree/main"
    as_git = await modules.call("parse-link.js", "parseLink", url, PROVIDERS, "git")
    assert (as_git["provider"], as_git["repository"]) == ("git", "https://github.com/o/r")
    other = "https://host.example/o/r"
    refused = await modules.call("parse-link.js", "parseLink", other, PROVIDERS, "gh")
    assert "not an address of GitHub" in refused["error"]


async def test_a_provider_s_own_pattern_is_asked(modules: Modules) -> None:
    dated = {
        "id": "dated",
        "displayName": "Dated things",
        "spec": {"validateRegex": r"\d{4}-\d\d"},
        "repo": {"placeholder": "2018-05"},
        "ref": {"enabled": False},
    }
    found = await modules.call("parse-link.js", "parseLink", "2018-05", [dated], "dated")
    assert (found["repository"], found["ref"]) == ("2018-05", "")
    refused = await modules.call("parse-link.js", "parseLink", "May", [dated], "dated")
    assert refused["error"] == "Dated things takes an address like this: 2018-05."


async def test_a_further_provider_s_links_follow_from_its_display_data(modules: Modules) -> None:
    further = {"id": "forge", "displayName": "Forge", "ref": {"enabled": True, "default": "trunk"}}
    choice = {"provider": "forge", "repository": "team/r", "ref": "trunk"}
    for escaped, link in ((True, "v2/forge/team%2Fr/trunk"), (False, "v2/forge/team/r/trunk")):
        display = {**further, "repo": {"urlEncode": escaped}}
        assert await modules.call("launch-link.js", "launchPath", choice, display) == link
        raw = link.removeprefix("v2/forge/")
        read = await modules.call("launch-link.js", "readSpec", "forge", raw, display)
        assert read == {"repository": "team/r", "ref": "trunk"}


async def test_an_ambiguous_branch_is_said_to_be_a_guess(modules: Modules) -> None:
    url = "https://github.com/o/r/blob/feature/x/nb.ipynb"
    found = await modules.call("parse-link.js", "parseLink", url, PROVIDERS)
    assert "Read as feature and the file x/nb.ipynb" in found["note"]


@pytest.mark.parametrize(
    ("choice", "link"),
    [
        ({"provider": "gh", "repository": "o/r", "ref": "a/b"}, "v2/gh/o/r/a/b"),
        (
            {"provider": "gh", "repository": "o/r", "ref": "a#b", "path": "n b.ipynb"},
            "v2/gh/o/r/a%23b?labpath=n%20b.ipynb",
        ),
        (
            {"provider": "git", "repository": "https://h/r.git", "ref": "main"},
            "v2/git/https%3A%2F%2Fh%2Fr.git/main",
        ),
        (
            {
                "provider": "gh",
                "repository": "o/r",
                "ref": "HEAD",
                "path": "lab?reset&x",
                "pathKind": "url",
            },
            "v2/gh/o/r/HEAD?urlpath=lab%3Freset%26x",
        ),
        (
            {"provider": "zenodo", "repository": "10.5281/zenodo.1", "ref": ""},
            "v2/zenodo/10.5281/zenodo.1",
        ),
    ],
)
async def test_launch_links_are_escaped(
    modules: Modules, choice: dict[str, str], link: str
) -> None:
    made = await modules.call("launch-link.js", "launchLink", "https://site.test/", choice)
    assert made == f"https://site.test/{link}"


async def test_badges_hold_the_link_in_each_language(modules: Modules) -> None:
    link = "https://site.test/v2/gh/o/r/HEAD?labpath=a&b=(1)"
    badges = await modules.call("badges.js", "makeBadges", "https://site.test/", link)
    image = "https://site.test/badge_logo.svg"
    assert badges["markdown"] == (
        f"[![Launch on Binder]({image})](https://site.test/v2/gh/o/r/HEAD?labpath=a&b=%281%29)"
    )
    assert badges["rst"].splitlines()[:2] == [f".. image:: {image}", f"   :target: {link}"]
    assert 'href="https://site.test/v2/gh/o/r/HEAD?labpath=a&amp;b=(1)"' in badges["html"]


SERVER = "https://hub.test/user/me/"


@pytest.mark.parametrize(
    ("query", "url"),
    [
        ("", f"{SERVER}?token=t"),
        ("?labpath=index.ipynb", f"{SERVER}lab/tree/index.ipynb?token=t"),
        ("?filepath=a/b%20c.ipynb", f"{SERVER}lab/tree/a/b%20c.ipynb?token=t"),
        ("?labpath=/a%3Fb%23c", f"{SERVER}lab/tree/a%3Fb%23c?token=t"),
        ("?urlpath=lab/tree/x", f"{SERVER}lab/tree/x?token=t"),
        ("?urlpath=/rstudio/", f"{SERVER}rstudio/?token=t"),
        ("?urlpath=lab%3Freset%23top", f"{SERVER}lab?reset&token=t#top"),
        ("?urlpath=lab%3Ftoken%3Dtheirs%26a%3D1", f"{SERVER}lab?a=1&token=t"),
        ("?urlpath=//evil.test/x", f"{SERVER}evil.test/x?token=t"),
        ("?urlpath=%5C%5Cevil.test", f"{SERVER}evil.test?token=t"),
        ("?urlpath=https://evil.test/", f"{SERVER}https://evil.test/?token=t"),
        ("?urlpath=../../admin", f"{SERVER}?token=t"),
        ("?urlpath=a/%252e%252e/%252e%252e/b", f"{SERVER}?token=t"),
        ("?urlpath=.%09./x", f"{SERVER}?token=t"),
        ("?urlpath=javascript:alert(1)", f"{SERVER}javascript:alert(1)?token=t"),
        ("?labpath=../../../hub/admin", f"{SERVER}?token=t"),
        ("?labpath=../../notes.ipynb", f"{SERVER}notes.ipynb?token=t"),
    ],
)
async def test_the_browser_goes_to_the_server_and_nowhere_else(
    modules: Modules, query: str, url: str
) -> None:
    assert await modules.call("server-url.js", "serverUrl", SERVER, "t", query) == url


async def test_a_server_s_address_must_be_a_web_address(modules: Modules) -> None:
    for bad in ("javascript:alert(1)", "data:text/html,x", "", "/user/me"):
        assert await modules.call("server-url.js", "serverUrl", bad, "t", "") is None
    without_slash = await modules.call("server-url.js", "serverUrl", SERVER.rstrip("/"), "a&b", "")
    assert without_slash == f"{SERVER}?token=a%26b"
