"""What a BinderHub is told of the visitor, in headers, as a proxy before it would.

It gets no build token of ours: it would refuse one that it has not signed itself
(`page_tokens.py`). Its rate limit and its bans look at the address of who asks, which is ours.
With `X-Forwarded-For` it sees the visitor's, if what stands before it trusts us
(docs/binderhub-members.md).
`X-Binder-Launch-Host` is what mybinder.org's redirector sends: links that a session shows
of itself then lead here.
"""

from collections.abc import Mapping

from binder_federation.federation.launch_request import LaunchRequest


def visitor_headers(request: LaunchRequest) -> Mapping[str, str]:
    """The headers for one launch; what is not known is left out."""
    headers = {
        "X-Forwarded-For": request.client_address,
        "X-Binder-Launch-Host": request.launch_host,
    }
    return {name: value for name, value in headers.items() if value}
