"""Ours: `core.choose`, fed as the federation's replicas feed it.

The decision is the serving one. Around it this mirrors what serving does with facts and
leases (`placing.py`, `lessons.py`, `reports.py`): a launch that must build takes the lease
before anybody else decides, a stream that says `built` is believed at once, changed
inventories come with reports, a hot repository's copies are planned with its launches.
"""

from random import Random

from binder_federation.binder.messages import Tier
from binder_federation.federation.core.arrivals import Rate, observe_arrival
from binder_federation.federation.core.choose import choose
from binder_federation.federation.core.snapshot import Estimates, Fleet, ImageView, MemberView
from binder_federation.federation.core.spreading import count_members_wanted, plan_copies
from binder_federation.federation.simulation.facts import Facts
from binder_federation.federation.simulation.knowledge import Knowledge
from binder_federation.federation.simulation.launch import Launch
from binder_federation.federation.simulation.policies.contract import Policy
from binder_federation.federation.simulation.world import Image

PLAN_EVERY_SECONDS = 10.0
"""Copies of one image are thought about no more often."""
BOARD_AGE_SECONDS = 15.0
"""Weights in slow start are brought up to date so often."""


class OursPolicy(Policy):
    """The federation's own decision."""

    name = "ours"
    title = "ours"

    def __init__(self, *, knowledge: Knowledge, rng: Random) -> None:
        self._knowledge = knowledge
        self._rng = rng
        self._has_redis = knowledge.settings.has_redis
        replicas = range(knowledge.settings.replicas)
        self._facts = [Facts()] * len(replicas) if self._has_redis else [Facts() for _ in replicas]
        self._fleets = [FleetOf(knowledge, replica) for replica in replicas]
        self._rates: list[dict[int, Rate]] = [{} for _ in replicas]
        if self._has_redis:
            self._rates = self._rates[:1] * len(replicas)
        self._planned_at: dict[int, float] = {}
        self._copies: tuple[int, ...] = ()

    def pick(self, launch: Launch, now: float) -> int | None:
        """Choose as serving does, and note the lease."""
        replica, image = launch.replica, launch.image
        facts = self._facts[replica]
        fleet = self._fleets[replica].at(now)
        view = facts.view(image, now)
        decision = choose(
            fleet,
            view,
            now=now,
            rng=self._rng,
            exclude=launch.tried,
            settings=self._knowledge.board.settings,
        )
        if decision.member is None or decision.chosen is None:
            return None
        if decision.chosen.tier.needs_build:
            facts.take_lease(image, decision.member, now)
        self._plan(fleet, view, launch, now)
        return self._fleets[replica].index[decision.member]

    def take_copies(self) -> tuple[int, ...]:
        """Members that should get the image of the last pick in the background."""
        copies, self._copies = self._copies, ()
        return copies

    def saw_image(self, image: Image, member: int, replica: int, now: float) -> None:
        """The fact is everybody's a moment later, or this replica's at once."""
        facts, name = self._facts[replica], self._knowledge.members[member].name
        if facts.holds(image, name) is Tier.NODE:
            facts.release(image, name)
        elif self._has_redis:
            heard_at = now + self._knowledge.settings.news_delay_seconds
            facts.tell(heard_at, image, name, Tier.NODE)
        else:
            facts.note(image, name, Tier.NODE, now)

    def build_broke(self, image: Image, member: int, replica: int) -> None:
        """The lease is free again."""
        self._facts[replica].release(image, self._knowledge.members[member].name)

    def image_changed(self, image: Image, member: int, now: float, *, is_on_node: bool) -> None:
        """Known when the report of it arrives."""
        tier = Tier.NODE if is_on_node else Tier.REGISTRY
        name = self._knowledge.members[member].name
        for replica, facts in self._each_facts():
            at = self._knowledge.clock.next_arrival(member, replica, now)
            facts.tell(at, image, name, tier)

    def image_replicated(self, image: Image, now: float) -> None:
        """Every member reports it, those that have it nearer said so before."""
        for member in self._knowledge.members:
            if member.is_present and image.id not in member.cache:
                self.image_changed(image, member.index, now, is_on_node=False)

    def fleet_changed(self) -> None:
        """The fleets are another one."""
        for fleet in self._fleets:
            fleet.reset()

    def _each_facts(self) -> list[tuple[int, Facts]]:
        return list(enumerate(self._facts[:1] if self._has_redis else self._facts))

    def _plan(self, fleet: Fleet, view: ImageView, launch: Launch, now: float) -> None:
        image, rates = launch.image, self._rates[launch.replica]
        rate = rates[image.id] = observe_arrival(rates.get(image.id, Rate()), now=now)
        if now - self._planned_at.get(image.id, 0.0) < PLAN_EVERY_SECONDS:
            return
        self._planned_at[image.id] = now
        wanted = count_members_wanted(
            arrivals_per_second=rate.per_second,
            session_seconds=self._knowledge.session_seconds,
            quota=fleet.capacity / len(fleet.members),
        )
        if wanted <= len(view.tiers.keys() | view.building_since.keys()):
            return  # the plan would come to the same, only slower
        names = plan_copies(
            fleet,
            view,
            arrivals_per_second=rate.per_second,
            session_seconds=self._knowledge.session_seconds,
            now=now,
            settings=self._knowledge.board.settings,
        )
        for name in names:
            self._facts[launch.replica].note_copying(image, name, now)
        index = self._fleets[launch.replica].index
        self._copies = tuple(index[name] for name in names)


class FleetOf:
    """The fleet as one replica sees it: made once, then changed member by member."""

    def __init__(self, knowledge: Knowledge, replica: int) -> None:
        self._knowledge = knowledge
        self._view = knowledge.views[replica]
        self.index = {member.name: member.index for member in knowledge.members}
        self._fleet: Fleet | None = None
        self._board_version = -1
        self._board_at = 0.0
        self._estimates = Estimates()

    def at(self, now: float) -> Fleet:
        """The fleet as known at `now`."""
        board = self._knowledge.board
        changed = self._view.refresh(now)
        if board.version != self._board_version or (
            board.version and now - self._board_at > BOARD_AGE_SECONDS
        ):
            self._board_version, self._board_at = board.version, now
            self._fleet = None
        if self._fleet is None:
            members = [each for each in self._knowledge.members if each.is_present]
            self._fleet = Fleet(tuple(self._member(each.index, now) for each in members))
            return self._fleet
        for index in changed:
            self._fleet = self._fleet.with_member(self._member(index, now))
        return self._fleet

    def reset(self) -> None:
        """The fleet has to be put together anew."""
        self._fleet = None

    def _member(self, index: int, now: float) -> MemberView:
        board = self._knowledge.board
        health = board.health[index]
        return MemberView(
            name=self._knowledge.members[index].name,
            state=health.state,
            effective_weight=board.weight(index, now),
            load=self._view.loads[index],
            last_well_at=health.last_well_at,
            estimates=self._estimates,
        )
