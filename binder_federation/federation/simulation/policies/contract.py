"""What a policy is: it picks a member for a launch, from what it knows.

The engine tells it what really happens; whatever it does not need it ignores. Nothing of
the world's true state is in reach of a policy, save the oracle's.
"""

# ruff: noqa: B027 - the hooks are empty: a policy overrides those that it learns from

from abc import ABC, abstractmethod

from binder_federation.federation.learned import Work
from binder_federation.federation.simulation.launch import Launch
from binder_federation.federation.simulation.world import Image


class Policy(ABC):
    """One way to pick members. Members are named by their indices, replicas too."""

    name = ""
    title = ""
    """A few words for tables."""

    @abstractmethod
    def pick(self, launch: Launch, now: float) -> int | None:
        """The member to send the launch to; None when nobody may take it."""

    def take_copies(self) -> tuple[int, ...]:
        """Members that are asked to prepare the image of the last pick in the background."""
        return ()

    def saw_image(self, image: Image, member: int, replica: int, now: float) -> None:
        """A stream of this replica said that the member has the image."""

    def build_broke(self, image: Image, member: int, replica: int) -> None:
        """A stream of this replica broke while the member built the image."""

    def copy_ended(self, image: Image, member: int) -> None:
        """What the member was asked to prepare is there, or broke off."""

    def timed(self, member: int, work: Work, seconds: float) -> None:
        """A launch at the member took so long for a part of its way (a pull: a factor)."""

    def image_changed(self, image: Image, member: int, now: float, *, is_on_node: bool) -> None:
        """The member's inventory changed, and its next report says so."""

    def image_replicated(self, image: Image, now: float) -> None:
        """The image is in every registry, and every member reports it."""

    def fleet_changed(self) -> None:
        """Another member belongs to the federation."""
