"""The yardstick of the redirect benchmark: aiohttp answers a constant 307, and no more.

`python -m benchmarks.constant_redirect PORT LENGTH`, with a Location of that length.
"""

import sys

from aiohttp import web


def make_app(length: int) -> web.Application:
    """One handler at the same addresses, without middlewares."""
    headers = {"Location": "http://127.0.0.1:1/".ljust(length, "x")}

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=307, headers=headers)

    app = web.Application()
    app.router.add_get(r"/build/{path:[\s\S]*}", answer)
    return app


if __name__ == "__main__":
    port, length = int(sys.argv[1]), int(sys.argv[2])
    web.run_app(make_app(length), host="127.0.0.1", port=port, print=None, access_log=None)
