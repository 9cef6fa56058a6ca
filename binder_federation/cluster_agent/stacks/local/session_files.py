"""The folder of one session: its own copy of the files, and an environment on top of the image's.

    files/   the copy of the repository; what the visitor sees
    home/    HOME: settings, caches
    tmp/     TMPDIR
    env/     a virtual environment that begins empty and sees the image's packages

What a visitor installs goes to `env/` and is gone with the session; the image's
own environment is only read. `env/` is made by hand, in milliseconds: a link to the
interpreter, copies of the image's scripts that start this interpreter, and a `.pth`
file (https://docs.python.org/3/library/site.html) that adds the image's packages.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from binder_federation.cluster_agent.stacks.local.folders import ImageFolder
from binder_federation.cluster_agent.stacks.local.image_record import ImageRecordFile

_PATH_FILE = "_binder_image.pth"


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """The parts of one session's folder."""

    path: Path

    @property
    def files(self) -> Path:
        return self.path / "files"

    @property
    def home(self) -> Path:
        return self.path / "home"

    @property
    def temporary(self) -> Path:
        return self.path / "tmp"

    @property
    def environment(self) -> Path:
        return self.path / "env"

    @property
    def server_log(self) -> Path:
        return self.path / "server.log"


def copy_commands(image: ImageFolder, session: SessionFolder) -> list[list[str]]:
    """What copies the image's files: real copies, shared blocks where the file system can."""
    pairs = [(image.content, session.files), (image.home, session.home)]
    return [
        ["cp", "--archive", "--reflink=auto", str(source), str(target)]
        for source, target in pairs
        if source.is_dir()
    ]


SESSION_CONFIG = Path(__file__).parent / "session_config"
"""JupyterLab without the question about news, which no visitor of minutes should answer."""


def make_environment(image: ImageFolder, record: ImageRecordFile, session: SessionFolder) -> None:
    """Make `env/`, `tmp/` and, when it was not copied, `home/`."""
    session.temporary.mkdir(mode=0o700)
    session.home.mkdir(mode=0o700, exist_ok=True)
    packages = session.path / record.site_packages
    packages.mkdir(parents=True)
    (packages / _PATH_FILE).write_text("\n".join(_extra_paths(image, record, session)) + "\n")
    shutil.copyfile(image.environment / "pyvenv.cfg", session.environment / "pyvenv.cfg")
    _copy_scripts(image.environment / "bin", session.environment / "bin")


def _extra_paths(image: ImageFolder, record: ImageRecordFile, session: SessionFolder) -> list[str]:
    """The session's own copy of what was installed editable, then the image's packages."""
    sources = [str(session.files / path) for path in record.source_paths]
    return [*sources, str(image.path / record.site_packages)]


def _copy_scripts(source: Path, target: Path) -> None:
    target.mkdir()
    old_interpreter = f"#!{source}/".encode()
    new_interpreter = f"#!{target}/".encode()
    for entry in os.scandir(source):
        copy = target / entry.name
        if entry.is_symlink():
            copy.symlink_to(Path(entry.path).readlink())
        elif entry.is_file():
            shutil.copy(entry.path, copy)
            _replace_start(copy, old_interpreter, new_interpreter)


def _replace_start(path: Path, old: bytes, new: bytes) -> None:
    """Have a script that names the image's interpreter use the session's."""
    content = path.read_bytes()
    if content.startswith(old):
        path.write_bytes(new + content.removeprefix(old))


def session_python_variables(image: ImageFolder, session: SessionFolder) -> dict[str, str]:
    """The variables that make `env/` the active environment, and the image's shared files found."""
    shared = image.environment / "share/jupyter"
    return {
        "VIRTUAL_ENV": str(session.environment),
        "JUPYTER_PATH": str(shared),
        "JUPYTER_CONFIG_PATH": f"{image.environment / 'etc/jupyter'}:{SESSION_CONFIG}",
        "JUPYTERLAB_DIR": str(shared / "lab"),
    }
