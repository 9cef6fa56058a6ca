"""A service's own `/health`: its checks, in BinderHub's shape.

    {"ok": true, "checks": [{"service": "JupyterHub API", "ok": true}, …]}

However many ask, the checks run once per `cache_seconds`, all at the same time and
each under a deadline. A check that takes too long or crashes has failed. One with
`_ignore_failure` is shown, but does not make the service unwell.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

log = structlog.get_logger(__name__)

Outcome = Mapping[str, Any]
"""`ok`, and whatever else is worth showing; `service` names it if not its check does."""

Check = Callable[[], Awaitable[Outcome | Sequence[Outcome]]]
"""Finds out how something is; several things when one question answers for all."""


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """All outcomes together, each with its `service` and `ok`."""

    checks: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed that counts."""
        return all(check["ok"] for check in self.checks if not check.get("_ignore_failure"))

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return 200 if self.ok else 503

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"ok": self.ok, "checks": [dict(check) for check in self.checks]}


class HealthChecks:
    """Runs a service's checks, by name, at most once per `cache_seconds`."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        cache_seconds: float = 15.0,
        timeout_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = dict(checks)
        self._cache_seconds = cache_seconds
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._answer = HealthAnswer(())
        self._made_at: float | None = None

    async def run(self) -> HealthAnswer:
        """The outcomes, at most `cache_seconds` old."""
        # The lock makes one of many callers run the checks; the others find the answer.
        # Nobody waits longer than the checks' deadline.
        async with self._lock:
            if not self._is_fresh():
                runs = (self._run(name, check) for name, check in self._checks.items())
                groups = await asyncio.gather(*runs)
                self._answer = HealthAnswer(tuple(each for group in groups for each in group))
                self._made_at = self._clock()
            return self._answer

    def expire(self) -> None:
        """Something has changed: whoever asks next finds out anew."""
        self._made_at = None

    def _is_fresh(self) -> bool:
        return self._made_at is not None and self._clock() - self._made_at < self._cache_seconds

    async def _run(self, name: str, check: Check) -> Sequence[Outcome]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                found = await check()
        except TimeoutError:
            found = {"ok": False, "message": f"No answer within {self._timeout_seconds:g} seconds."}
        except Exception:
            log.exception("health_check_crashed", check=name)
            found = {"ok": False, "message": "The check itself failed; it has been logged."}
        outcomes = [found] if isinstance(found, Mapping) else found
        return [
            {"service": name, **outcome, "ok": outcome.get("ok") is True} for outcome in outcomes
        ]
