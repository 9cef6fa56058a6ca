"""What BinderHub says in its event streams, word for word where somebody reads the words."""

from typing import Any

Said = dict[str, Any]

FULL = "Too many users on this BinderHub! Try again soon."
LOG_TAIL_LINES = 100

PUSH_STEPS = (
    {"3c12": {"current": 4_096, "total": 81_920}, "9f00": "Waiting"},
    {"3c12": {"current": 81_920, "total": 81_920}, "9f00": "Layer already exists"},
)


def say(phase: str, message: str = "", **fields: Any) -> Said:
    return {"phase": phase, "message": f"{message}\n" if message else "", **fields}


def error(status_code: int, message: str) -> Said:
    """An HTTP error inside: its stream has begun with 200, so the error is an event."""
    return say("failed", message, status_code=status_code)


def failed(message: str) -> Said:
    """What is no HTTP error has no status."""
    return say("failed", message)


def repository_full(url: str) -> Said:
    return failed(f"Too many users running {url}! Try again soon.")


def found(image: str) -> Said:
    return say("built", "Found built image, launching...", imageName=image)


def built(image: str) -> Said:
    return say("built", "Built image, launching...", imageName=image)


def build_only_ready(image: str, *, is_new: bool) -> Said:
    words = "Done! Image built" if is_new else "Done! Found built image"
    return say("ready", words, imageName=image)


def before_building(lines: int) -> list[Said]:
    return [
        say("waiting", "Waiting for build to start..."),
        say("fetching", "Picked Git content provider."),
        *(say("building", f"Step {number}/{lines} : RUN …") for number in range(1, lines + 1)),
    ]


def pushing() -> list[Said]:
    return [
        say("pushing", "Pushing image"),
        *(say("pushing", "", progress=progress) for progress in PUSH_STEPS),
    ]


def launching() -> list[Said]:
    return [
        say("launching", "Launching server..."),
        say("launching", "Server requested"),
        say("launching", "Spawning server..."),
    ]


def ready(url: str, *, token: str, image: str, launch_host: str, path: str) -> Said:
    return say(
        "ready",
        f"server running at {url}",
        url=url,
        token=token,
        image=image,
        repo_url="https://github.com/owner/repository",
        binder_ref_url="https://github.com/owner/repository/tree/1",
        binder_launch_host=launch_host,
        binder_request=f"v2/{path}",
        binder_persistent_request=f"v2/{path}",
    )
