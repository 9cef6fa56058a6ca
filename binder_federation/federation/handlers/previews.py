"""`GET /preview/<provider>/<spec>?path=<file>`: a notebook as a page that can do nothing.

It is made for a frame of our loading page. Whatever it shows comes from strangers, so it
has a sandbox and a Content-Security-Policy of its own: no scripts, no requests, no origin.
When there is nothing to show the answer is 204, whatever the reason: nobody waits for it.
"""

from aiohttp import web

from binder_federation.federation.context import CONTEXT
from binder_federation.federation.handlers.public_url import client_address
from binder_federation.federation.previews.document import PreviewDocument, make_document
from binder_federation.federation.previews.previews import Previews
from binder_federation.federation.previews.targets import PROVIDERS, clean_path
from binder_federation.runtime.web import raw_path_after

PREVIEWS: web.AppKey[Previews] = web.AppKey("previews", Previews)
DOCUMENT: web.AppKey[PreviewDocument] = web.AppKey("preview-document", PreviewDocument)

ANY_PREVIEW = r"/preview/{launch_path:[\s\S]*}"  # a `.` would leave out a decoded newline
NOTHING = {"Cache-Control": "no-store"}


def add_preview_routes(app: web.Application, previews: Previews) -> None:
    """Serve `previews` from `app`."""
    app[PREVIEWS] = previews
    app[DOCUMENT] = make_document()
    app.router.add_get(ANY_PREVIEW, preview)


async def preview(request: web.Request) -> web.Response:
    """The file's preview; 204 when there is none. Raises `InvalidSpec`, and `SpecBanned`."""
    context = request.app[CONTEXT]
    spec = context.repositories.parse(raw_path_after(request, "/preview/"))
    context.admission.check_bans(client_address(request), spec)
    path = clean_path(request.query.get("path", ""))
    if not path or spec.provider not in PROVIDERS:
        return web.Response(status=204, headers=NOTHING)
    html = await request.app[PREVIEWS].preview(spec, path)
    if html is None:
        return web.Response(status=204, headers=NOTHING)
    document = request.app[DOCUMENT]
    return web.Response(
        body=document.wrap(path, html),
        content_type="text/html",
        charset="utf-8",
        headers={
            "Cache-Control": "private, max-age=60",
            "Content-Security-Policy": document.policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Robots-Tag": "noindex",
        },
    )
