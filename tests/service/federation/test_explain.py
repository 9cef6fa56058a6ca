"""The admin API's explanation of a decision, and who may ask for it."""

import httpx
from jsonschema import Draft202012Validator

from binder_federation.federation.handlers.service import load_openapi
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import FederationServer, running_federation

SHA = "1" * 40
PATH = f"gh/owner/repository/{SHA}"
URL = f"/api/admin/explain/{PATH}"
TOKEN = "a-token-for-operators-of-this-test"


async def explanation(federation: FederationServer) -> dict[str, object]:
    answer = await federation.client.get(URL)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


async def test_it_names_the_member_that_the_next_launch_goes_to(
    federation: FederationServer,
) -> None:
    before = await explanation(federation)
    first = await federation.launch(PATH)
    after = await explanation(federation)

    assert before["chosen"] == first.last.fields["member"]
    assert before["phrase"] == first.last.fields["reason_phrase"]
    assert after["chosen"] == before["chosen"]
    assert after["reason"] == "has_image"


async def test_nothing_is_launched_leased_or_counted(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    first = await explanation(federation)
    second = await explanation(federation)
    metrics = (await federation.client.get("/metrics")).text

    assert first == second
    assert alpha.paths + beta.paths == []
    assert "binderfed_decisions_total{" not in metrics
    tiers = {member["tier"] for member in first["members"]}  # type: ignore[attr-defined]
    assert tiers == {"absent"}, "a lease would show as building"


async def test_it_is_as_described(federation: FederationServer) -> None:
    description = load_openapi()
    schema = {"$ref": "#/components/schemas/Explanation", "components": description["components"]}

    Draft202012Validator(schema).validate(await explanation(federation))


async def test_what_cannot_be_launched_is_refused(federation: FederationServer) -> None:
    answer = await federation.client.get("/api/admin/explain/nosuch/owner/name/HEAD")

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_spec"


async def test_without_a_token_nobody_may_ask(federation: FederationServer) -> None:
    async with httpx.AsyncClient(base_url=federation.url) as this_machine:
        answer = await this_machine.get(URL)

    assert answer.status_code == 403
    assert "admin.token" in answer.json()["advice"]


async def test_with_a_token_only_who_brings_it(alpha: FakeMember) -> None:
    async with running_federation([alpha], admin={"token": TOKEN}) as federation:

        async def ask(authorization: str) -> httpx.Response:
            return await federation.client.get(URL, headers={"Authorization": authorization})

        assert (await ask("Bearer wrong")).status_code == 403
        assert (await ask(f"Bearer {CREDENTIAL}")).status_code == 403, "a member's is no operator's"
        assert (await ask(f"Basic {TOKEN}")).status_code == 403
        forwarded = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "203.0.113.7"}
        assert (await federation.client.get(URL, headers=forwarded)).status_code == 200
