"""`/api/admin/members/{name}/…`: weight, ramp, drain, revoke, rotate."""

from collections.abc import Callable

from aiohttp import web

from binder_federation.config.admin import Scope
from binder_federation.federation.handlers.admin import check_admin
from binder_federation.federation.handlers.steering.attempts import Attempt, answer, attempt
from binder_federation.federation.handlers.steering.bodies import (
    Body,
    DrainBody,
    RampBody,
    RevokeBody,
    RotateBody,
    TimedBody,
    WeightBody,
    read_body,
)
from binder_federation.federation.handlers.steering.last_member import check_not_last
from binder_federation.federation.joining import rotation
from binder_federation.federation.joining.invitations import make_invitation
from binder_federation.federation.orders import members as orders
from binder_federation.federation.orders.describe import describe_invitation, describe_member
from binder_federation.federation.orders.errors import InvalidOrder
from binder_federation.federation.orders.subjects import Subject, find_present, find_subject
from binder_federation.federation.steering.document import SteeringDocument

Edit = Callable[[SteeringDocument, Subject], SteeringDocument]


async def set_weight(request: web.Request) -> web.Response:
    """`PUT …/weight`: another weight at once."""
    async with attempt(request, Scope.MEMBERS, action="weight", subject=_name(request)) as made:
        body = await read_body(request, WeightBody)
        _explain(made, body, detail=f"weight {body.weight:g}")
        return await _perform(
            made, lambda document, it: orders.set_weight(document, it, body.weight, made.word())
        )


async def end_weight(request: web.Request) -> web.Response:
    """`DELETE …/weight`: the settings' weight again."""
    async with attempt(request, Scope.MEMBERS, action="end_weight", subject=_name(request)) as made:
        made.explain((await read_body(request, Body)).reason)
        return await _perform(made, orders.end_weight)


async def ramp(request: web.Request) -> web.Response:
    """`PUT …/ramp`: a weight that is reached little by little."""
    async with attempt(request, Scope.MEMBERS, action="ramp", subject=_name(request)) as made:
        body = await read_body(request, RampBody)
        _explain(made, body, detail=f"to weight {body.to:g} in {body.over_seconds:g} s")

        def edit(document: SteeringDocument, subject: Subject) -> SteeringDocument:
            return orders.ramp(
                document,
                subject,
                body.to,
                made.word(),
                over_seconds=body.over_seconds,
                from_weight=body.from_weight,
            )

        return await _perform(made, edit)


async def drain(request: web.Request) -> web.Response:
    """`PUT …/drain`: no new launches; running sessions stay."""
    async with attempt(request, Scope.MEMBERS, action="drain", subject=_name(request)) as made:
        body = await read_body(request, DrainBody)
        _explain(made, body, detail="forced" if body.force else "")
        made.require_reason()
        find_present(made.configured, made.context.steering.current, made.subject, made.now)
        if not body.force:
            check_not_last(made.context, made.subject)
        return await _perform(made, lambda document, it: orders.drain(document, it, made.word()))


async def undrain(request: web.Request) -> web.Response:
    """`DELETE …/drain`: launches again."""
    async with attempt(request, Scope.MEMBERS, action="undrain", subject=_name(request)) as made:
        made.explain((await read_body(request, Body)).reason)
        return await _perform(made, lambda document, it: orders.undrain(document, it, made.word()))


async def revoke(request: web.Request) -> web.Response:
    """`POST …/revoke`: no member any more."""
    async with attempt(request, Scope.MEMBERS, action="revoke", subject=_name(request)) as made:
        body = await read_body(request, RevokeBody)
        made.explain(body.reason, detail="forced" if body.force else "")
        made.require_reason()
        find_present(made.configured, made.context.steering.current, made.subject, made.now)
        if body.reinvite:
            check_admin(request, Scope.INVITE)
        if not (body.force or body.reinvite):
            check_not_last(made.context, made.subject)
        if not body.reinvite:
            return await _perform(
                made, lambda document, it: orders.revoke(document, it, made.word())
            )
        return await _revoke_and_invite(made, body)


async def _revoke_and_invite(made: Attempt, body: RevokeBody) -> web.Response:
    """One order: whoever has the old key is out, and the institution may join once more."""
    joined = made.context.steering.current.joined.get(made.subject)
    if joined is None:
        raise InvalidOrder(
            f"{made.subject} did not join by invitation.",
            advice="Change its credential in the settings instead.",
        )
    token = ""

    def edit(document: SteeringDocument) -> SteeringDocument:
        nonlocal token
        subject = find_present(made.configured, document, made.subject, made.now)
        document = orders.revoke(document, subject, made.word())
        document, token = make_invitation(
            document, made.subject, joined.weight, body.expires_seconds, made.actor, made.now
        )
        return document

    document = await made.change(edit)
    invitation = next(
        each for each in document.invitations.values() if token.startswith(f"bfi_{each.id}.")
    )
    member = find_subject(made.configured, document, made.subject)
    return answer(
        {
            "member": describe_member(document, member, made.now),
            "invitation": describe_invitation(invitation, made.now),
            "token": token,
        },
        revision=document.revision,
    )


async def restore(request: web.Request) -> web.Response:
    """`DELETE …/revoke`: a member of the settings is one again."""
    async with attempt(request, Scope.MEMBERS, action="restore", subject=_name(request)) as made:
        made.explain((await read_body(request, Body)).reason)

        def edit(document: SteeringDocument) -> SteeringDocument:
            subject = find_subject(made.configured, document, made.subject)
            return orders.restore(document, subject, made.now)

        return _tell(made, await made.change(edit))


async def rotate(request: web.Request) -> web.Response:
    """`POST …/rotate`: another credential for a member that joined."""
    async with attempt(request, Scope.MEMBERS, action="rotate", subject=_name(request)) as made:
        body = await read_body(request, RotateBody)
        made.explain(body.reason)
        find_present(made.configured, made.context.steering.current, made.subject, made.now)

        def edit(document: SteeringDocument) -> SteeringDocument:
            return rotation.rotate(
                document, made.subject, now=made.now, grace_seconds=body.grace_seconds
            )

        document = await made.change(edit)
        joined = document.joined[made.subject]
        subject = find_subject(made.configured, document, made.subject)
        told = {
            "member": describe_member(document, subject, made.now),
            "generation": joined.generation,
            "old_generation_until": joined.old_generation_until,
        }
        return answer(told, revision=document.revision)


async def _perform(made: Attempt, edit: Edit) -> web.Response:
    def on_subject(document: SteeringDocument) -> SteeringDocument:
        return edit(document, find_present(made.configured, document, made.subject, made.now))

    return _tell(made, await made.change(on_subject))


def _tell(made: Attempt, document: SteeringDocument) -> web.Response:
    subject = find_subject(made.configured, document, made.subject)
    told = describe_member(document, subject, made.now)
    return answer({"member": told}, revision=document.revision)


def _explain(made: Attempt, body: TimedBody, *, detail: str = "") -> None:
    made.explain(body.reason, detail=detail)
    made.explain(body.reason, until=body.ends_at(made.now), detail=detail)


def _name(request: web.Request) -> str:
    return request.match_info["name"]
