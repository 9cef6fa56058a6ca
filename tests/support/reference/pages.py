"""All pages of the reference: file name → text."""

from pathlib import Path

from binder_federation.cluster_agent.cli import make_parser as make_agent_parser
from binder_federation.config.agent import AgentSettings
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.cli.main import make_parser
from tests.support.reference.commands import describe_command
from tests.support.reference.http_api import describe_api
from tests.support.reference.settings import describe_settings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs/reference"
PACKAGE = ROOT / "binder_federation"
NOTE = "<!-- Made by `make docs` from the code: do not edit. -->\n\n"


def make_pages() -> dict[str, str]:
    """Every page as it should be."""
    pages = {
        "federation-settings.md": describe_settings(
            FederationSettings, title="Settings of the federation", file="federation.yaml"
        ),
        "agent-settings.md": describe_settings(
            AgentSettings, title="Settings of a cluster agent", file="agent.yaml"
        ),
        "binderfed.md": describe_command(make_parser()),
        "binderfed-agent.md": describe_command(make_agent_parser()),
        "federation-api.md": describe_api(PACKAGE / "federation/openapi.yaml"),
        "agent-api.md": describe_api(PACKAGE / "cluster_agent/openapi.yaml"),
    }
    return {name: NOTE + text for name, text in pages.items()}
