"""Runs scripts by their hash, many in one round trip; Redis is given those that it lacks."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError


@dataclass(frozen=True, slots=True)
class Script:
    """A script and its name in Redis."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One run of a script."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[str | int]


async def run_scripts(client: "Redis", calls: Sequence[ScriptCall]) -> list[Any]:
    """The calls' answers, in their order. Raises `RedisError` when one of them fails."""
    answers = await _run(client, calls)
    missing = {
        call.script
        for call, answer in zip(calls, answers, strict=True)
        if isinstance(answer, NoScriptError)
    }
    if missing:  # Redis is new, or was restarted: none of these was run
        await asyncio.gather(*(client.script_load(script.text) for script in missing))
        again = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        for i, answer in zip(again, await _run(client, [calls[i] for i in again]), strict=True):
            answers[i] = answer
    for answer in answers:
        if isinstance(answer, RedisError):
            raise answer
    return answers


async def _run(client: "Redis", calls: Sequence[ScriptCall]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(
            "EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.arguments
        )
    return await pipeline.execute(raise_on_error=False)
