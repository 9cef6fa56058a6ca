"""The grammar `<percent-encoded name>/ref`, where the name has parts: `group/sub/project`.

GitLab and Bitbucket share it. The name has no plain `/`, so the ref may. Each part is
what its host allows in one, and never `.` or `..`: the name goes into the paths of URLs.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.refs import check_ref
from binder_federation.binder.providers.text import decode_once, shown
from binder_federation.binder.spec import LaunchSpec

_PART = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EscapedNames:
    """The grammar of provider `provider`; `example` is a name, `most_parts` how long one is."""

    provider: str
    host_name: str
    example: str
    most_parts: int

    def parse(self, raw_spec: str) -> LaunchSpec:
        """`<percent-encoded name>/ref`. Raises `InvalidSpec`."""
        raw_name, _, raw_ref = raw_spec.partition("/")
        name, ref = _without_suffix(decode_once(raw_name).strip("/")), decode_once(raw_ref)
        if name and "/" not in name:
            raise self._unescaped(raw_spec)
        parts = name.split("/")
        if len(parts) > self.most_parts or not all(_is_part(part) for part in parts):
            raise InvalidSpec(
                f"“{shown(name)}” cannot be the name of a {self.host_name} repository.",
                advice=f"A link looks like {self._link(self.example)}.",
            )
        if not ref:
            raise InvalidSpec(
                "The link does not say which ref of the repository to launch.",
                advice=f"Add one: {self._link(name)}.",
            )
        return LaunchSpec(self.provider, name, check_ref(ref))

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return f"{quote(spec.repository, safe='')}/{quote(spec.ref, safe='/')}"

    def _unescaped(self, raw_spec: str) -> InvalidSpec:
        """`group/project/main`: where the name ends cannot be told, but the guess is good."""
        parts = [decode_once(part) for part in raw_spec.split("/")[:2]]
        guess = "/".join(parts) if all(_is_part(part) for part in parts) else self.example
        guess = guess if "/" in guess else self.example
        return InvalidSpec(
            f"The {self.host_name} repository's name is not percent-encoded as one part.",
            advice=f"Write its “/” as %2F: {self._link(guess)}.",
        )

    def _link(self, name: str) -> str:
        return f"/v2/{self.provider}/{quote(name, safe='')}/HEAD"


def _without_suffix(name: str) -> str:
    while name.lower().endswith(".git"):
        name = name[: -len(".git")].rstrip("/")
    return name


def _is_part(part: str) -> bool:
    return _PART.fullmatch(part) is not None and part not in (".", "..")
