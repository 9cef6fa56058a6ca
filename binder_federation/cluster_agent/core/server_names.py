"""Which server of a hub is meant: every part of the agent names servers by a `ServerName`.

An anonymous visitor is a temporary user of the hub with the default server, and the user
goes when the server does. A visitor who is logged in keeps the user and has several servers,
each with a name of its own; of such a user nothing but servers is ever removed.
"""

import hashlib
from dataclasses import dataclass

_HASH_LENGTH = 8


@dataclass(frozen=True, slots=True, order=True)
class ServerName:
    """One server: the hub's user, and its name among the user's servers."""

    user: str
    name: str = ""
    """Empty: the default server."""

    @property
    def is_named(self) -> bool:
        """Whether it is one of several, of a user who stays."""
        return bool(self.name)

    @property
    def machine_name(self) -> str:
        """Of its folder or container: the same for no two servers.

        A user's name may hold what such names may not, so its hash stands for it. `--` is in no
        temporary user's name, nor in a server's.
        """
        if not self.is_named:
            return self.user
        digest = hashlib.sha256(self.user.encode()).hexdigest()
        return f"{self.name}--{digest[:_HASH_LENGTH]}"

    def __str__(self) -> str:
        """`ada`, or `ada/engine-x7k2m9qa`: as in the server's URL, below `/user/`."""
        return f"{self.user}/{self.name}" if self.is_named else self.user
