"""Waits until everything that `binderfed up` started can be used, and says what it waits for."""

import asyncio
import sys
import time

import httpx
from rich.console import Console

from binder_federation.federation.cli.supervisor import Supervisor
from binder_federation.federation.cli.up_settings import Plan

START_SECONDS = 600.0
POLL_SECONDS = 0.25


async def wait_until_ready(plan: Plan, supervisor: Supervisor) -> bool:
    """True once every member is up; False when a part does not start, or a stop was asked for."""
    console = Console(stderr=True)
    deadline = time.monotonic() + START_SECONDS
    message = "Starting (the first time on a machine takes a minute) ..."
    with console.status(message) as status:
        if not console.is_terminal:
            console.print(message)
        async with httpx.AsyncClient(timeout=2.0) as client:
            while not supervisor.stop_requested.is_set():
                waiting_for = await _waiting_for(plan, client)
                if not waiting_for:
                    supervisor.restarts_parts = True
                    return True
                status.update(f"{message} waiting for {', '.join(waiting_for)}")
                if supervisor.failed:
                    _explain(supervisor.failed, supervisor)
                    return False
                if time.monotonic() > deadline:
                    print(f"{', '.join(waiting_for)} did not start in time.", file=sys.stderr)
                    return False
                await asyncio.sleep(POLL_SECONDS)
    return False


async def _waiting_for(plan: Plan, client: httpx.AsyncClient) -> list[str]:
    starting = [member.name for member in plan.members if not member.ready_file.exists()]
    try:
        answer = await client.get(f"{plan.url}/api/members")
        members = answer.raise_for_status().json()["members"]
    except httpx.HTTPError:
        return ["federation", *starting]
    not_up = [m["name"] for m in members if m["state"] != "up" or m["load"] is None]
    return list(dict.fromkeys([*starting, *not_up]))


def _explain(name: str, supervisor: Supervisor) -> None:
    print(f"{name} does not start. The end of its log:\n", file=sys.stderr)
    print(supervisor.log_tail(name), file=sys.stderr, flush=True)
