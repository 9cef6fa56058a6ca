"""What the documents tell a reader to type is true: settings load, commands are understood."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from binder_federation.config.agent import AgentSettings
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.cli.main import make_parser
from tests.support.chart_schema import AGENT, FEDERATION

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
SETTINGS = {"federation.yaml": FederationSettings, "agent.yaml": AgentSettings}
NOT_OURS = (
    "make-secrets",
    "ansible-playbook",
    "ansible-vault",
    "ssh",
    "git",
    "curl",
    "binderfed-agent",
    "docker",
    "helm",
    "kubectl",
    "gcloud",
    "aws",
    "eksctl",
)
CHART_VALUES = {"values.yaml": AGENT, "federation-values.yaml": FEDERATION}
HUB_VALUES = "z2jh.yaml"


def blocks(language: str) -> list[tuple[str, str]]:
    """Every fenced block of `language`, with the document it stands in."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [
        (document.name, match[1])
        for document in DOCUMENTS
        for match in pattern.finditer(document.read_text(encoding="utf-8"))
    ]


def commands() -> list[str]:
    """Each command in the shell blocks, comments and `&&` taken apart."""
    lines = [line for _, block in blocks("sh") for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in line.split(" && ")]
    return sorted({part for part in parts if part and not part.startswith(("#", "cd "))})


@pytest.mark.parametrize(("document", "block"), blocks("yaml"))
def test_settings_in_documents_load(document: str, block: str) -> None:
    name = block.partition("\n")[0].removeprefix("# ")
    values = yaml.safe_load(block)

    if name in CHART_VALUES:
        assert CHART_VALUES[name].problems(values) == []
    elif name == HUB_VALUES:  # another project's chart: tests/cluster tries them
        for code in values["hub"]["extraConfig"].values():
            compile(code, document, "exec")
    else:
        SETTINGS[name](**values)


@pytest.mark.parametrize("command", commands())
def test_commands_in_documents_are_understood(command: str) -> None:
    words = shlex.split(command, comments=True)
    program = Path(words[0]).name
    if program == "make":
        subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif program == "binderfed":
        make_parser().parse_args(words[1:])
    else:
        assert program in NOT_OURS, f"nobody checks {command!r}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    missing = [target for target in targets if not (document.parent / target).exists()]

    assert missing == [], f"{document.name} points at what is not there"
