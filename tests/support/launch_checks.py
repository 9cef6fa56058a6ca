"""What a visitor finds behind `ready`: a server that answers its token, and a kernel in it."""

import asyncio
import json
import uuid

import aiohttp
import httpx

from tests.support.running_up import StreamSeen


async def answers(seen: StreamSeen) -> bool:
    """Whether the server answers its token, and nobody else."""
    url, token = seen.last.fields["url"], seen.last.fields["token"]
    headers = {"Authorization": f"token {token}"}
    async with httpx.AsyncClient(timeout=30) as me, httpx.AsyncClient(timeout=30) as somebody:
        mine = await me.get(f"{url}api/status", headers=headers)
        others = await somebody.get(f"{url}api/status")
    return mine.status_code == 200 and others.status_code == 403


async def run_code(seen: StreamSeen, code: str, *, seconds: float = 60) -> str:
    """What `code` prints in a new kernel of the session."""
    url, token = str(seen.last.fields["url"]), str(seen.last.fields["token"])
    return await run_code_at(url, token, code, seconds=seconds)


async def run_code_at(url: str, token: str, code: str, *, seconds: float = 60) -> str:
    """What `code` prints in a new kernel of the server at `url`, which ends in `/`."""
    headers = {"Authorization": f"token {token}"}
    async with asyncio.timeout(seconds), aiohttp.ClientSession(headers=headers) as session:
        async with session.post(f"{url}api/kernels") as made:
            assert made.status == 201, await made.text()
            kernel = (await made.json())["id"]
        async with session.ws_connect(f"{url}api/kernels/{kernel}/channels") as socket:
            await socket.send_str(json.dumps(_request(code)))
            return await _output(socket)


def _request(code: str) -> dict[str, object]:
    """An `execute_request` of Jupyter's messaging protocol, version 5.3."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": uuid.uuid4().hex,
        "username": "",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
    }


async def _output(socket: aiohttp.ClientWebSocketResponse) -> str:
    printed = ""
    async for message in socket:
        told = json.loads(message.data)
        kind, content = told["msg_type"], told["content"]
        if kind == "stream":
            printed += content["text"]
        if kind == "error":
            raise AssertionError("\n".join(content["traceback"]))
        if kind == "execute_reply":
            # The stream may come after the reply: the kernel is idle when all was sent.
            continue
        if kind == "status" and content["execution_state"] == "idle" and printed:
            return printed
    raise AssertionError(f"the kernel's connection ended after {printed!r}")
