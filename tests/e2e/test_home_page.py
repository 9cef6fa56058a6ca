"""The home page in a real browser."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.support.scripted_federation import PROVIDERS, ScriptedFederation, scripted_federation

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

EXAMPLE = "v2/gh/owner/example/HEAD?labpath=index.ipynb"


@pytest_asyncio.fixture(loop_scope="session")
async def federation() -> AsyncIterator[ScriptedFederation]:
    """A federation that offers an example."""
    async with scripted_federation(example=EXAMPLE) as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _open(page: Page, federation: ScriptedFederation) -> None:
    await page.goto(federation.url)


async def test_the_link_comes_as_you_type(page: Page, federation: ScriptedFederation) -> None:
    link = page.locator("#link-text")
    await expect(page.get_by_role("button", name="Copy the launch link")).to_be_disabled()
    await page.get_by_label("Repository").fill("https://github.com/o/r")
    await expect(link).to_have_text(f"{federation.url}/v2/gh/o/r/HEAD")
    await page.get_by_label("Branch, tag or commit").fill("dev")
    await page.get_by_label("Open", exact=True).fill("/a b.ipynb")
    await expect(link).to_have_text(f"{federation.url}/v2/gh/o/r/dev?labpath=a%20b.ipynb")
    await page.get_by_label("What to open").select_option("url")
    await expect(link).to_have_text(f"{federation.url}/v2/gh/o/r/dev?urlpath=a%20b.ipynb")
    for name in ("markdown", "rst", "html"):
        await expect(page.locator(f"#{name}-text")).to_contain_text("/v2/gh/o/r/dev?urlpath=")
    preview = page.get_by_role("link", name="Launch this repository")
    await expect(preview).to_have_attribute("href", await link.inner_text())


async def test_a_file_s_address_fills_the_fields_and_another_one_empties_them(
    page: Page, federation: ScriptedFederation
) -> None:
    repository = page.get_by_label("Repository")
    await repository.fill("https://github.com/o/r/blob/main/a/nb.ipynb")
    await expect(page.get_by_label("Branch, tag or commit")).to_have_value("main")
    await expect(page.get_by_label("Open", exact=True)).to_have_value("a/nb.ipynb")
    await repository.fill("https://github.com/o/other")
    await expect(page.locator("#link-text")).to_have_text(f"{federation.url}/v2/gh/o/other/HEAD")
    await page.get_by_label("Branch, tag or commit").fill("mine")
    await repository.fill("https://github.com/o/third")
    await expect(page.locator("#link-text")).to_have_text(f"{federation.url}/v2/gh/o/third/mine")


async def test_what_is_wrong_is_told_beside_the_field(
    page: Page, federation: ScriptedFederation
) -> None:
    repository = page.get_by_label("Repository")
    await page.get_by_role("button", name="Launch", exact=True).click()
    await expect(page.locator("#repository-message")).to_contain_text("Paste a repository")
    await expect(repository).to_be_focused()
    await repository.fill("https://me:secret@github.com/o/r")
    await repository.blur()
    await expect(page.locator("#repository-message")).to_contain_text("holds a password")
    await expect(repository).to_have_attribute("aria-invalid", "true")
    await repository.fill("o/r")
    await expect(repository).not_to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Branch, tag or commit").fill("a b")
    await page.get_by_role("button", name="Launch", exact=True).click()
    await expect(page.get_by_label("Branch, tag or commit")).to_be_focused()
    await expect(page.locator("#ref-message")).to_contain_text("no such characters")


async def test_the_keyboard_is_enough(page: Page, federation: ScriptedFederation) -> None:
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Repository")).to_be_focused()
    await page.keyboard.type("o/r")
    for label in ("Where it is", "Branch, tag or commit", "What to open"):
        await page.keyboard.press("Tab")
        await expect(page.get_by_label(label)).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.type("x.ipynb")
    await page.keyboard.press("Enter")
    launch = await federation.next_launch()
    assert (launch.path, launch.query) == ("gh/o/r/HEAD", {"labpath": "x.ipynb"})


async def test_a_provider_can_be_picked(page: Page, federation: ScriptedFederation) -> None:
    await page.get_by_label("Where it is").select_option("git")
    await page.get_by_label("URL of a git repository").fill("https://github.com/o/r")
    await expect(page.locator("#link-text")).to_have_text(
        f"{federation.url}/v2/git/https%3A%2F%2Fgithub.com%2Fo%2Fr/HEAD"
    )


async def test_texts_are_copied(page: Page, federation: ScriptedFederation) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_label("Repository").fill("o/r")
    for name in ("the launch link", "the badge in Markdown", "the badge in reStructuredText"):
        button = page.get_by_role("button", name=f"Copy {name}")
        await button.click()
        await expect(button).to_have_text("Copied")
        text = await button.locator("xpath=../code").text_content()
        assert await page.evaluate("navigator.clipboard.readText()") == text


async def test_copying_works_where_there_is_no_clipboard_api(
    page: Page, federation: ScriptedFederation
) -> None:
    await page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
    )
    await page.reload()
    repository = page.get_by_label("Repository")
    await repository.fill("o/r")
    button = page.get_by_role("button", name="Copy the launch link")
    await button.click()
    await expect(button).to_have_text("Copied")
    await expect(button).to_be_focused()
    await repository.fill("")
    await repository.press("Control+v")
    await expect(repository).to_have_value(f"{federation.url}/v2/gh/o/r/HEAD")


async def test_members_and_example_are_there(page: Page, federation: ScriptedFederation) -> None:
    names = page.get_by_label("Members of this federation").get_by_role("listitem")
    await expect(names).to_have_text(["alpha up", "beta coming back", "gamma down"])
    await page.get_by_role("link", name="or try the example").click()
    launch = await federation.next_launch()
    assert launch.path == "gh/owner/example/HEAD"


async def test_members_are_refreshed(page: Page, federation: ScriptedFederation) -> None:
    await page.clock.install()
    await page.reload()
    names = page.get_by_label("Members of this federation").get_by_role("listitem")
    await expect(names).to_have_count(3)
    federation.members = [{"name": "delta", "state": "up"}]
    await page.clock.run_for(16_000)
    await expect(names).to_have_text(["delta up"])


async def test_a_doi_has_no_branch_and_goes_into_the_link_as_it_is(
    page: Page, federation: ScriptedFederation
) -> None:
    await expect(page.locator("#ref-field")).to_be_visible()
    await page.get_by_label("Repository").fill("https://doi.org/10.5281/zenodo.3242074")
    link = f"{federation.url}/v2/zenodo/10.5281/zenodo.3242074"
    await expect(page.locator("#link-text")).to_have_text(link)
    await expect(page.locator("#ref-field")).to_be_hidden()
    await page.get_by_label("Repository").fill("owner/name")
    await expect(page.locator("#ref-field")).to_be_visible()


async def test_every_provider_can_be_chosen(page: Page) -> None:
    options = await page.get_by_label("Where it is").locator("option").all_inner_texts()
    assert options == ["As the address says", *(str(each["displayName"]) for each in PROVIDERS)]
    for each in PROVIDERS:
        await page.get_by_label("Where it is").select_option(str(each["id"]))
        label = page.get_by_label(each["repo"]["label"])
        await expect(label).to_have_attribute("placeholder", each["repo"]["placeholder"])
        await expect(page.locator("#ref-field")).to_be_visible(visible=each["ref"]["enabled"])
