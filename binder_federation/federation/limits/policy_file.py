"""The policy in a file: read again whenever it has changed, without a restart.

A file that cannot be read or used changes nothing: the last good policy stays, the log says
what is wrong, and `binderfed_policy_errors` is 1 until the file is good again. When there is
none yet, at the start, that is the policy of the settings.
"""

import asyncio
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Gauge
from pydantic import ValidationError

from binder_federation.config.load import ConfigurationError, read_yaml
from binder_federation.config.policy import PolicySettings
from binder_federation.federation.limits.live_policy import LivePolicy

log = structlog.get_logger(__name__)

CHECK_EVERY_SECONDS = 1.0

_Stamp = tuple[int, int, int, int] | None


class PolicyFile:
    """Watches the file at `path`. `base` is the policy of the settings."""

    def __init__(
        self,
        *,
        path: Path,
        base: PolicySettings,
        policy: LivePolicy,
        registry: CollectorRegistry,
    ) -> None:
        self._path = path
        self._base = base
        self._policy = policy
        self._stamp: _Stamp = None
        self._trouble = ""
        self._errors = Gauge(
            "binderfed_policy_errors",
            "1 while the policy file cannot be used and the last good policy is in force",
            registry=registry,
        )

    async def check(self) -> None:
        """Take the file in, if it is not the one that was taken in last."""
        stamp = _stamp(self._path)
        if stamp is not None and stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            policy = await self._policy.use(base=await asyncio.to_thread(self._load))
        except ConfigurationError as error:
            self._note(error.message)
            return
        self._note("")
        log.info(
            "policy_loaded",
            path=str(self._path),
            banned_networks=len(policy.settings.banned_networks),
            banned_specs=len(policy.settings.banned_specs),
            digest=policy.for_members.digest,
        )

    def _load(self) -> PolicySettings:
        """Thousands of networks take a second to read: not in the event loop."""
        parts = read_yaml(self._path)
        try:
            given = PolicySettings.model_validate(parts)
        except ValidationError as error:
            raise ConfigurationError(_sentence(self._path, error)) from error
        changes = {name: getattr(given, name) for name in given.model_fields_set}
        return self._base.model_copy(update=changes)

    def _note(self, trouble: str) -> None:
        self._errors.set(1 if trouble else 0)
        if trouble and trouble != self._trouble:
            log.error("policy_not_usable", reason=trouble[:1000])
        self._trouble = trouble


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


def _sentence(path: Path, error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)[:5]
    ]
    return f"In {path}: {'; '.join(problems)}"
