"""Which images are launched how often here, and what their next server would be told.

Each launch teaches the rate of its image, and leaves its options as the pattern for a warm
server: the repository and the links are the same for all visitors, the host and the request
are the latest visitor's, an address nobody's.
"""

import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.core.arrivals import Rate, observe_arrival, rate_now
from binder_federation.cluster_agent.core.names import (
    SUFFIX_ALPHABET,
    SUFFIX_LENGTH,
    user_name,
)
from binder_federation.cluster_agent.launcher import ServerOptions

MOST_IMAGES = 2_000
FORGOTTEN = 0.1
"""Launches within the memory: who asks now is the first one again."""


@dataclass(slots=True)
class _Demanded:
    spec: LaunchSpec
    options: ServerOptions
    rate: Rate


class Demand:
    """The images that were launched lately, the longest unasked ones forgotten."""

    def __init__(
        self,
        *,
        memory_seconds: float,
        exclude: Sequence[str] = (),
        most_images: int = MOST_IMAGES,
    ) -> None:
        self._memory_seconds = memory_seconds
        self._exclude = [re.compile(pattern) for pattern in exclude]
        self._most_images = most_images
        self._images: OrderedDict[ImageKey, _Demanded] = OrderedDict()

    def note(self, key: ImageKey, spec: LaunchSpec, options: ServerOptions, *, now: float) -> None:
        """A visitor launched the image; `options` are those of a server for that visitor."""
        if any(pattern.fullmatch(spec.affinity_key) for pattern in self._exclude):
            return
        known = self._images.get(key)
        before = known.rate if known is not None else Rate()
        rate = observe_arrival(before, now=now, memory_seconds=self._memory_seconds)
        self._images[key] = _Demanded(spec, options, rate)
        self._images.move_to_end(key)
        self._forget_the_coldest(now)

    def rates(self, *, now: float) -> Mapping[str, float]:
        """Launches per second of each image."""
        return {
            key: rate_now(each.rate, now=now, memory_seconds=self._memory_seconds)
            for key, each in self._images.items()
        }

    def _forget_the_coldest(self, now: float) -> None:
        """The longest unasked go when there are too many, or when they are hardly asked for."""
        while len(self._images) > 1:
            key, coldest = next(iter(self._images.items()))
            rate = rate_now(coldest.rate, now=now, memory_seconds=self._memory_seconds)
            if len(self._images) <= self._most_images and rate >= FORGOTTEN / self._memory_seconds:
                return
            del self._images[key]

    def next_server(self, key: ImageKey) -> tuple[str, ServerOptions]:
        """A new user's name for a warm server of the image, and what the hub is told of it."""
        demanded = self._images[key]
        suffix = "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))
        options = replace(
            demanded.options,
            token=secrets.token_urlsafe(32),
            binder_client_ip="",
            warm=True,
        )
        return user_name(demanded.spec, suffix), options
