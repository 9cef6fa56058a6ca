"""The command of a user's server in a container: JupyterLab, else the classic notebook.

A plain Jupyter server: it knows nothing of the hub. The visitor's token is the only key
(`JUPYTER_TOKEN`, never an argument), and pages of other origins may use it, as
BinderHub's servers allow. The image's ENTRYPOINT stays: repo2docker runs a repository's
`start` script there. The image needs a shell, which repo2docker's all have.
"""

import shlex

_SERVER = {
    "ip": "0.0.0.0",  # noqa: S104 - the container's own network
    "port_retries": "0",  # another port would never be found
    "open_browser": "False",
    "trust_xheaders": "True",
    "allow_remote_access": "True",  # the proxy passes the visitor's Host on
    "allow_origin_pat": ".*",
    "log_level": "WARN",
}
_LAB = {
    "ServerApp.default_url": "/lab",
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
}


def server_command(*, port: int, base_url: str, may_be_root: bool) -> list[str]:
    """What the container runs. `base_url` begins and ends with `/`."""
    server = {**_SERVER, "port": str(port), "base_url": base_url}
    if may_be_root:
        server["allow_root"] = "True"
    new = {f"ServerApp.{name}": value for name, value in server.items()}
    # Before version 7 the notebook reads its own names, and ignores those of the server.
    old = {f"NotebookApp.{name}": value for name, value in server.items()}
    lab, notebook = _arguments({**new, **_LAB}), _arguments({**new, **old})
    script = (
        f"if command -v jupyter-lab >/dev/null; then exec jupyter-lab {lab}; fi; "
        f"exec jupyter-notebook {notebook}"
    )
    return ["sh", "-c", script]


def _arguments(values: dict[str, str]) -> str:
    return shlex.join(f"--{name}={value}" for name, value in values.items())
