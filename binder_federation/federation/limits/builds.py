"""Which images of a repository are being built now, as all replicas know it.

Two hundred refs of one repository are two hundred builds, whoever asks for them. What a
member builds is known from the decision that sent it there until the image is there, or the
attempt has failed. Where no stream tells of that (redirect mode), a report or time does.
"""

from collections.abc import Iterable

from binder_federation.binder.spec import ImageKey

LONGEST_SECONDS = 900.0
"""A build that nobody has told the end of is forgotten after so long."""


class RepositoryBuilds:
    """Images that are being built, by repository."""

    def __init__(self) -> None:
        self._by_repository: dict[str, dict[ImageKey, float]] = {}
        self._repository_of: dict[ImageKey, str] = {}

    def begun(self, repository: str, image: ImageKey, *, now: float) -> None:
        """A member was sent a launch for which it builds `image`."""
        self._by_repository.setdefault(repository, {})[image] = now
        self._repository_of[image] = repository

    def ended(self, image: ImageKey) -> bool:
        """The image is there, or its build has failed; whether it was known to be built."""
        repository = self._repository_of.pop(image, None)
        if repository is None:
            return False
        images = self._by_repository[repository]
        del images[image]
        if not images:
            del self._by_repository[repository]
        return True

    def under_way(self, repository: str, *, besides: ImageKey, now: float) -> int:
        """How many other images of the repository are being built."""
        images = self._by_repository.get(repository)
        if images is None:
            return 0
        for image in [each for each, at in images.items() if at <= now - LONGEST_SECONDS]:
            self.ended(image)
        return len(images) - (besides in images)

    def known(self, images: Iterable[str]) -> list[ImageKey]:
        """Those of `images` that are thought to be in the making."""
        if not self._repository_of:
            return []
        return [ImageKey(image) for image in images if image in self._repository_of]
