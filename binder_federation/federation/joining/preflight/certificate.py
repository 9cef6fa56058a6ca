"""How long is the agent's certificate good for? (mybinder.org's ended unseen on 2018-01-18.)"""

from datetime import UTC, datetime

from binder_federation.binder.joining import JoinCheck

NAME = "TLS certificate"
DAY_SECONDS = 86_400.0


def judge_certificate(
    url: str, not_after: float | None, *, now: float, warn_days: float
) -> JoinCheck:
    """The verdict on a certificate that was trusted; `not_after` is None where there was no TLS.

    One that ends soon is good enough to join, but it is told of. One that has expired is refused
    by the probe already.
    """
    if not_after is None:
        if url.startswith("https://"):
            return JoinCheck(name=NAME, ok=None, message="Its end could not be read.")
        return JoinCheck(
            name=NAME,
            ok=True,
            message="There is none: what the federation asks of the agent can be read on its way.",
            advice="Put the agent behind https:// unless its network is private.",
        )
    days = (not_after - now) / DAY_SECONDS
    date = datetime.fromtimestamp(not_after, UTC).strftime("%Y-%m-%d")
    if days >= warn_days:
        return JoinCheck(name=NAME, ok=True, message=f"It is good until {date}.")
    return JoinCheck(
        name=NAME,
        ok=days > 0,
        message=f"It ends in {max(0.0, days):.0f} days, on {date}.",
        advice="See that it is renewed by itself (certbot, cert-manager): a member whose "
        "certificate has expired gets no launches.",
    )
