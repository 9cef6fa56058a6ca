"""Where it is told what to do about an alert: docs/operations.md, a section for each."""

RUNBOOKS = "https://docs.example.org/binder-federation/operations/"
"""The site's page. The chart and compose.yaml put the address of your own site in its place."""


def anchor(alert: str) -> str:
    """The alert's section, as the site's generator names it."""
    return alert.lower()


def runbook_url(alert: str) -> str:
    """The link that goes with an alert."""
    return f"{RUNBOOKS}#{anchor(alert)}"
