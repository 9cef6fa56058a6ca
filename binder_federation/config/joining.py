"""Settings of joining by invitation, the federation's side (docs/joining-protocol.md)."""

from typing import Annotated

from pydantic import Field

from binder_federation.config.credentials import Credential
from binder_federation.config.providers import Seconds, Section


class JoiningSettings(Section):
    """How institutions join, and what is checked before they get launches."""

    key: Credential | None = None
    """Credentials of members that join are derived from it, so it is as secret as all of them
    together. Needed with `redis`; else it is made, and kept beside `steering.file`."""
    test_repository: str = "gh/binder-examples/requirements/HEAD"
    """Launched at a member that joins, as a visitor would: `<provider>/<spec>`."""
    launch_seconds: Seconds = 900.0
    """The longest that this launch may take, its build included."""
    allow_private_addresses: bool = False
    """Whether members that join may be on private networks. Requests go to the addresses that they
    name, so else these must be on the public internet."""
    check_seconds: Seconds = 10.0
    """The longest that each of the other checks may take."""
    first_pause_seconds: Seconds = 10.0
    """Until checks that failed are made again; each time twice as long."""
    most_pause_seconds: Seconds = 600.0
    certificate_days: Annotated[float, Field(ge=0)] = 14.0
    """A certificate that ends sooner is told of."""
    rotation_seconds: Seconds = 86_400.0
    """While a credential is replaced, the member has so long to begin with the new one."""
