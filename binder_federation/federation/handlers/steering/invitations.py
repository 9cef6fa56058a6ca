"""`/api/admin/invitations`: institutions that may join. The token is told once, here."""

from aiohttp import web

from binder_federation.config.admin import Scope
from binder_federation.federation.context import CONTEXT
from binder_federation.federation.handlers.admin import check_admin
from binder_federation.federation.handlers.steering.attempts import answer, attempt
from binder_federation.federation.handlers.steering.bodies import Body, InvitationBody, read_body
from binder_federation.federation.joining.errors import MemberExists
from binder_federation.federation.joining.invitations import make_invitation, revoke_invitation
from binder_federation.federation.orders.describe import describe_invitation
from binder_federation.federation.steering.document import SteeringDocument


async def list_invitations(request: web.Request) -> web.Response:
    """`GET`: those of the last 30 days, without their tokens."""
    check_admin(request, Scope.READ, Scope.INVITE)
    context = request.app[CONTEXT]
    document, now = context.steering.current, context.clock()
    told = [describe_invitation(each, now) for each in document.invitations.values()]
    return answer({"invitations": told}, revision=document.revision)


async def invite(request: web.Request) -> web.Response:
    """`POST`: one more; an open one of the same name is taken back."""
    async with attempt(request, Scope.INVITE, action="invite") as made:
        body = await read_body(request, InvitationBody)
        made.subject = body.name
        made.context.joining.check_is_on()
        made.explain(
            body.reason, until=made.now + body.expires_seconds, detail=f"weight {body.weight:g}"
        )
        if body.name in made.configured:
            raise MemberExists(
                f"{body.name} is a member of the settings already.", advice="Take another name."
            )
        token = ""

        def edit(document: SteeringDocument) -> SteeringDocument:
            nonlocal token
            document, token = make_invitation(
                document, body.name, body.weight, body.expires_seconds, made.actor, made.now
            )
            return document

        document = await made.change(edit)
        made_one = next(
            each for each in document.invitations.values() if token.startswith(f"bfi_{each.id}.")
        )
        told = describe_invitation(made_one, made.now)
        return answer({"invitation": told, "token": token}, revision=document.revision, status=201)


async def revoke(request: web.Request) -> web.Response:
    """`DELETE`: nobody can use it any more; who has joined by it stays."""
    invitation_id = request.match_info["id"]
    async with attempt(
        request, Scope.INVITE, action="revoke_invitation", subject=invitation_id
    ) as made:
        made.explain((await read_body(request, Body)).reason)

        def edit(document: SteeringDocument) -> SteeringDocument:
            return revoke_invitation(document, invitation_id, made.now)

        document = await made.change(edit)
        told = describe_invitation(document.invitations[invitation_id], made.now)
        return answer({"invitation": told}, revision=document.revision)
