"""The addresses of the admin API for steering."""

from aiohttp import web

from binder_federation.federation.handlers.steering import (
    bans,
    invitations,
    members,
    quotas,
    reading,
)

MEMBER = "/api/admin/members/{name}"


def add_steering_routes(app: web.Application) -> None:
    """Add all of them."""
    router = app.router
    router.add_get("/api/admin/steering", reading.steering)
    router.add_get("/api/admin/audit", reading.audit)
    router.add_put(f"{MEMBER}/weight", members.set_weight)
    router.add_delete(f"{MEMBER}/weight", members.end_weight)
    router.add_put(f"{MEMBER}/ramp", members.ramp)
    router.add_put(f"{MEMBER}/drain", members.drain)
    router.add_delete(f"{MEMBER}/drain", members.undrain)
    router.add_post(f"{MEMBER}/revoke", members.revoke)
    router.add_delete(f"{MEMBER}/revoke", members.restore)
    router.add_post(f"{MEMBER}/rotate", members.rotate)
    router.add_get("/api/admin/invitations", invitations.list_invitations)
    router.add_post("/api/admin/invitations", invitations.invite)
    router.add_delete("/api/admin/invitations/{id}", invitations.revoke)
    router.add_get("/api/admin/bans", bans.list_bans)
    router.add_post("/api/admin/bans", bans.ban)
    router.add_delete("/api/admin/bans/{id}", bans.unban)
    router.add_get("/api/admin/quotas", quotas.list_quotas)
    router.add_post("/api/admin/quotas", quotas.set_quota)
    router.add_delete("/api/admin/quotas/{id}", quotas.end_quota)
