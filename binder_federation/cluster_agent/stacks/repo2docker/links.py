"""Links in a repository that lead out of it: not followed by anything that builds.

repo2docker and buildx read a few files of the checkout on the machine that builds, and
quote them when they are wrong. A link there to the registry's credentials would show
them to whoever made the repository.
"""

from pathlib import Path

from binder_federation.binder.errors import BuildFailed

_FOLDERS = ("", "binder", ".binder")
"""Where repo2docker looks for what describes an environment."""


def check_links(checkout: Path, subdirectory: str) -> None:
    """Raise `BuildFailed` when `subdirectory` is missing, or when something that is read
    there leads out of `checkout`."""
    root = checkout.resolve()
    folder = checkout / subdirectory.strip("/")
    if not folder.is_dir():
        raise BuildFailed(
            f"The repository has no folder `{subdirectory}`.",
            advice="Check the subdirectory in the link.",
        )
    _refuse_escape(folder, root, checkout)
    for name in _FOLDERS:
        _check_folder(folder / name, root, checkout)


def _check_folder(folder: Path, root: Path, checkout: Path) -> None:
    _refuse_escape(folder, root, checkout)
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            _refuse_escape(path, root, checkout)


def _refuse_escape(path: Path, root: Path, checkout: Path) -> None:
    try:
        is_inside = path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # links in a circle
        is_inside = False
    if not is_inside:
        raise BuildFailed(
            f"{path.relative_to(checkout)} is a link that leads out of the repository."
        )
