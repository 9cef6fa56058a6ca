"""The configuration of mybinder.org's redirector, as settings of ours.

    {"hosts": {"gke": {"url": "https://gke.mybinder.org", "weight": 4, "prime": true,
               "health": "https://…/health", "versions": "https://…/versions"}, "old": null},
     "check": {"period": 15, "jitter": 0.1, "retries": 5, "timeout": 2, "failed_period": 90},
     "load_balancer": "rendezvous", "pod_headroom": 10, "host_cookie_age_hours": 4}

Pure: what was read goes in, settings and notes come out (`cli/import_redirector.py` reads and
writes). A note says in one line what is different here. Each host is a member of kind
`binderhub`; one that is null was taken out, as Helm's values cannot remove a key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from binder_federation.config.federation import MEMBER_NAME_PATTERN
from binder_federation.config.load import ConfigurationError

_HOST_KEYS = frozenset({"url", "weight", "health", "versions", "prime"})
_CHECKS = {
    "period": "probe_every_seconds",
    "timeout": "binderhub_answer_seconds",
    "failed_period": "down_probe_max_seconds",
}
_NO_COUNTERPART = {
    "check.retries": "two misses make a member suspect, three more down: health.misses_to_…",
    "check.jitter": "probes are spread by 20 %",
    "load_balancer": "launches go where a notebook is there soonest: docs/architecture.md",
}


@dataclass
class Imported:
    """Settings of the federation, and what to know about them."""

    settings: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def import_redirector(content: Any) -> Imported:
    """The settings for what a redirector's file holds; `ConfigurationError` names what is wrong."""
    config = _mapping(content, "The file")
    hosts = _mapping(config.get("hosts"), "hosts")
    imported = Imported({})
    headroom = _number(config.get("pod_headroom", 0) or 0, "pod_headroom", whole=True)
    members = [
        _member(name, host, headroom=headroom, imported=imported)
        for name, host in hosts.items()
        if _is_there(name, host, imported)
    ]
    if not members:
        raise ConfigurationError("hosts names no host.")
    _refuse_twice([member["name"] for member in members])
    imported.settings["members"] = members
    _take_checks(_mapping(config.get("check") or {}, "check"), imported)
    _take_rest(config, imported)
    return imported


def _is_there(name: Any, host: Any, imported: Imported) -> bool:
    if host is None:
        imported.notes.append(f"hosts.{name} is null, so it was left out.")
    return host is not None


def _member(name: Any, raw: Any, *, headroom: float, imported: Imported) -> dict[str, Any]:
    where = f"hosts.{name}"
    host = _mapping(raw, where)
    url = host.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{where}.url must be a URL, not {url!r}.")
    url = url.rstrip("/")
    member: dict[str, Any] = {"name": _name(name, imported), "kind": "binderhub", "url": url}
    weight = _number(host.get("weight"), f"{where}.weight")
    if weight > 0:
        member["weight"] = weight
    else:
        member["draining"] = True
        imported.notes.append(f"{where} has the weight 0: it is draining, and gets no launches.")
    if headroom:
        member["pod_headroom"] = headroom
    _note_host(where, host, url, imported)
    return member


def _name(raw: Any, imported: Imported) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", str(raw).lower()).strip("-")[:63].strip("-")
    if not re.fullmatch(MEMBER_NAME_PATTERN, name):
        raise ConfigurationError(f"hosts: {raw!r} is no name for a member.")
    if name != raw:
        imported.notes.append(f"hosts.{raw} is called {name} here.")
    return name


def _note_host(where: str, host: Mapping[str, Any], url: str, imported: Imported) -> None:
    for what in ("health", "versions"):
        given = host.get(what)
        if given and given != f"{url}/{what}":
            imported.notes.append(f"{where}.{what} is {given}; {url}/{what} is asked here.")
    if host.get("prime"):
        imported.notes.append(
            f"{where} is prime: there is none here, the federation serves its pages itself."
        )
    for key in sorted(map(str, host.keys() - _HOST_KEYS)):
        imported.notes.append(f"{where}.{key} is not known, and was left out.")


def _take_checks(check: Mapping[str, Any], imported: Imported) -> None:
    health: dict[str, Any] = {}
    for key, value in check.items():
        if key in _CHECKS:
            health[_CHECKS[key]] = _number(value, f"check.{key}", above=0)
        elif f"check.{key}" in _NO_COUNTERPART:
            imported.notes.append(f"check.{key} is left out: {_NO_COUNTERPART[f'check.{key}']}.")
        else:
            imported.notes.append(f"check.{key} is not known, and was left out.")
    if health:
        imported.settings["health"] = health


def _take_rest(config: Mapping[str, Any], imported: Imported) -> None:
    for key, value in config.items():
        if key == "host_cookie_age_hours":
            imported.settings["launch"] = {"sticky_hours": _number(value, key)}
            imported.notes.append("launch.sticky_hours is for launch.mode: redirect.")
        elif key in _NO_COUNTERPART:
            imported.notes.append(f"{key} is left out: {_NO_COUNTERPART[key]}.")
        elif key not in ("hosts", "check", "pod_headroom"):
            imported.notes.append(f"{key} is not known, and was left out.")
    imported.notes.append(
        "The redirector sends browsers to a member; here its events are passed on, and a launch "
        "goes on elsewhere when it fails. launch.mode: redirect does as the redirector."
    )


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{what} must hold names and values.")
    return value


def _number(value: Any, what: str, *, whole: bool = False, above: float | None = None) -> float:
    is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < float("inf") or (above is not None and value <= above):
        kind = "a whole number" if whole else "a number"
        least = "of at least 0" if above is None else f"above {above:g}"
        raise ConfigurationError(f"{what} must be {kind} {least}, not {value!r}.")
    number: float = value
    return number


def _refuse_twice(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"hosts: two of them would be called {twice[0]} here.")
