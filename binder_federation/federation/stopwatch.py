"""How long each part of one attempt took, from its events: what the estimates learn from."""

from collections.abc import Iterator

from binder_federation.binder.events import Phase
from binder_federation.federation.core.cost import REBUILD_FACTOR, Cost, LocalityTier
from binder_federation.federation.learned import Work


class Stopwatch:
    """Follows one attempt from its start."""

    def __init__(self, cost: Cost, *, now: float) -> None:
        self._cost = cost
        self._phase = Phase.WAITING
        self._entered_at = now
        self._seconds: dict[Phase, float] = {}
        self._got_warm_server = False

    def note_warm(self) -> None:
        """The server ran already: the attempt tells nothing of starting one."""
        self._got_warm_server = True

    def saw(self, phase: Phase, *, now: float) -> None:
        """An event of `phase` came."""
        if phase is self._phase:
            return
        spent = self._seconds.get(self._phase, 0.0)
        self._seconds[self._phase] = spent + max(0.0, now - self._entered_at)
        self._phase, self._entered_at = phase, now

    def lessons(self) -> Iterator[tuple[Work, float]]:
        """What an attempt that ended well tells of its member, in seconds (pulls: a factor).

        A launch that joined a build which ran already tells nothing of builds.
        """
        cost, took = self._cost, self._seconds
        if Phase.BUILDING in took and cost.tier.needs_build:
            factor = REBUILD_FACTOR if cost.tier is LocalityTier.REBUILD else 1.0
            build = took[Phase.BUILDING] + took.get(Phase.FETCHING, 0.0)
            yield Work.BUILD, build / factor
            if Phase.PUSHING in took:
                yield Work.PUSH, took[Phase.PUSHING] / factor
        if Phase.LAUNCHING not in took or self._got_warm_server:
            return
        launching = took[Phase.LAUNCHING]
        if cost.tier is LocalityTier.REGISTRY and cost.pull > 0:
            yield Work.PULL, max(0.05, launching - cost.spawn) / cost.pull
        elif cost.tier is LocalityTier.NODE or cost.tier is LocalityTier.WARM:
            yield Work.SPAWN, launching
