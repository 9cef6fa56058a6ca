"""2018-01-18, reddit hug: one repository, hundreds of visitors within a minute.

It spreads: further members prepare its image while visitors go on where it is, no member
is given more than it takes, and everybody gets a notebook.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation

VISITORS = 300
CAPACITY = 140
PATH = f"gh/owner/hot/{SHA}"


async def report(federation: FederationServer, member: FakeMember, sequence: int) -> None:
    body: dict[str, Any] = {
        "member": member.name,
        "session": "s1",
        "sequence": sequence,
        # Within these few seconds every server is still starting.
        "load": {"capacity": CAPACITY, "pending": member.sessions, "build_slots": 2},
        "inventory": "changes" if sequence else "whole",
    }
    answer = await federation.client.post(
        f"/api/members/{member.name}/report",
        json=body,
        headers={"Authorization": f"Bearer {CREDENTIAL}"},
    )
    assert answer.status_code == 200, answer.text


async def test_2018_01_18_reddit_hug() -> None:
    """Half as many of everything: 300 visitors, three members that take 140 each."""
    async with AsyncExitStack() as stack:
        members = [FakeMember(name, capacity=CAPACITY) for name in ("alpha", "beta", "gamma")]
        for member in members:
            await member.start()
            stack.push_async_callback(member.stop)
        federation = await stack.enter_async_context(
            running_federation(members, copies={"check_every_seconds": 0.05, "after_seconds": 0.0})
        )
        for member in members:
            await report(federation, member, 0)
        served: Counter[str] = Counter()
        for wave in range(1, 11):
            seen = await asyncio.gather(*(federation.launch(PATH) for _ in range(VISITORS // 10)))
            failed = [one.last for one in seen if one.phases[-1] != "ready"]
            assert not failed, f"wave {wave}: {failed[0]}, {len(failed)} of them"
            served.update(one.last.fields["member"] for one in seen)
            for member in members:
                await report(federation, member, wave)
        builds = [member.builds[PATH] for member in members]
    assert served.total() == VISITORS
    assert served.keys() == {"alpha", "beta", "gamma"}, served
    assert max(served.values()) <= CAPACITY, served
    assert max(builds) == 1, f"each member builds it once at most: {builds}"
