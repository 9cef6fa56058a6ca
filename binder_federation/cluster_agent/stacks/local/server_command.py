"""The command of a session's server: JupyterLab behind the hub's proxy, without a login.

As BinderHub's hub does it: the visitor's token is the only key (it comes in
`JUPYTER_TOKEN`, never on the command line), and pages of other origins may use it.
"""

from pathlib import Path


def server_arguments(*, port: int, base_url: str, runs_as_root: bool) -> list[str]:
    """The arguments of `jupyter-lab`."""
    arguments = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(port),
        "ServerApp.port_retries": "0",  # another port would never be found
        "ServerApp.base_url": base_url,
        "ServerApp.default_url": "/lab",
        "ServerApp.open_browser": "False",
        "ServerApp.trust_xheaders": "True",
        "ServerApp.allow_remote_access": "True",  # the proxy passes the visitor's Host on
        "ServerApp.allow_origin_pat": ".*",
        "ServerApp.log_level": "WARN",
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    if runs_as_root:
        arguments["ServerApp.allow_root"] = "True"
    return [f"--{name}={value}" for name, value in arguments.items()]


def server_command(*, environment: Path, start: list[str], arguments: list[str]) -> list[str]:
    """The server, behind the command of the repository's `start` script if there is one."""
    return [*start, str(environment / "bin/jupyter-lab"), *arguments]
