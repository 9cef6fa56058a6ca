"""Ours: `core.choose`, fed as the federation's replicas feed it.

The decision is the serving one. Around it this mirrors what serving does with facts and
leases (`placing.py`, `lessons.py`, `reports.py`, `copies.py`): a launch that must build takes
the lease before anybody else decides, a stream that says `built` is believed at once,
changed inventories come with reports, a hot repository is copied to further members.
"""

from random import Random

from binder_federation.binder.messages import EstimateRecord, Tier
from binder_federation.config.federation import CopySettings, EstimateSettings
from binder_federation.federation.core.arrivals import Rate, observe_arrival
from binder_federation.federation.core.choose import choose
from binder_federation.federation.core.snapshot import Fleet, ImageView, MemberView
from binder_federation.federation.core.spreading import count_members_wanted, plan_copies
from binder_federation.federation.learned import Learned, Work
from binder_federation.federation.simulation.facts import Facts
from binder_federation.federation.simulation.knowledge import Knowledge
from binder_federation.federation.simulation.launch import Launch
from binder_federation.federation.simulation.policies.contract import Policy
from binder_federation.federation.simulation.world import Image

COPY_AFTER_SECONDS = CopySettings().after_seconds
PLAN_EVERY_SECONDS = 10.0
"""Copies of one image are thought about no more often."""
REFRESH_SECONDS = 300.0
"""What was learned of the members is looked at so often: it moves slowly."""
WATCHED_SECONDS = 15.0
"""The same while a member comes back, for its weight grows."""
NOTHING_REPORTED = EstimateRecord()


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
        self._learned = Learned(settings=EstimateSettings())
        self._fleets = [FleetOf(knowledge, replica, self._learned) for replica in replicas]
        self._rates: list[dict[int, Rate]] = [{} for _ in replicas]
        if self._has_redis:
            self._rates = self._rates[:1] * len(replicas)
        self._hot_since: dict[int, float] = {}
        self._planned_at: dict[int, float] = {}
        self._copies: tuple[int, ...] = ()
        self._copying: set[tuple[int, int]] = set()

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

    def copy_ended(self, image: Image, member: int) -> None:
        """It may be asked for again."""
        self._copying.discard((image.id, member))

    def timed(self, member: int, work: Work, seconds: float) -> None:
        """Learned by all replicas alike: each sees its share of the same launches."""
        self._learned.observe(self._knowledge.members[member].name, work, seconds)

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

    def _each_facts(self) -> list[tuple[int, Facts]]:
        return list(enumerate(self._facts[:1] if self._has_redis else self._facts))

    def _plan(self, fleet: Fleet, view: ImageView, launch: Launch, now: float) -> None:
        """As `copies.py`, which looks at all hot images regularly: here with their launches."""
        image, rates = launch.image, self._rates[launch.replica]
        rate = rates[image.id] = observe_arrival(rates.get(image.id, Rate()), now=now)
        if now - self._hot_since.setdefault(image.id, now) < COPY_AFTER_SECONDS:
            return
        if now - self._planned_at.get(image.id, 0.0) < PLAN_EVERY_SECONDS:
            return
        self._planned_at[image.id] = now
        wanted = count_members_wanted(
            fleet,
            arrivals_per_second=rate.per_second,
            session_seconds=self._knowledge.session_seconds,
        )
        if wanted <= sum(tier is Tier.NODE for tier in view.tiers.values()):
            return  # the plan would come to the same, only slower
        names = plan_copies(
            fleet,
            view,
            arrivals_per_second=rate.per_second,
            session_seconds=self._knowledge.session_seconds,
            now=now,
            settings=self._knowledge.board.settings,
        )
        members = [self._fleets[launch.replica].index[name] for name in names]
        self._copies = tuple(
            member for member in members if (image.id, member) not in self._copying
        )
        self._copying.update((image.id, member) for member in self._copies)


class FleetOf:
    """The fleet as one replica sees it: made once in a while, then changed member by member."""

    def __init__(self, knowledge: Knowledge, replica: int, learned: Learned) -> None:
        self._knowledge = knowledge
        self._learned = learned
        self._view = knowledge.views[replica]
        self.index = {member.name: member.index for member in knowledge.members}
        self._fleet: Fleet | None = None
        self._made_at = 0.0
        self._board_version = -1

    def at(self, now: float) -> Fleet:
        """The fleet as known at `now`."""
        board, view = self._knowledge.board, self._view
        changed = view.refresh(now)
        is_old = now - self._made_at > (WATCHED_SECONDS if board.is_watching else REFRESH_SECONDS)
        fleet = self._fleet
        if fleet is None or is_old or board.version != self._board_version:
            return self._make(now)
        if changed:
            by_name, members = fleet.by_name, self._knowledge.members
            fleet = self._fleet = fleet.with_members(
                [by_name[members[index].name].with_load(view.loads[index]) for index in changed]
            )
        return fleet

    def _make(self, now: float) -> Fleet:
        self._board_version, self._made_at = self._knowledge.board.version, now
        members = [each for each in self._knowledge.members if each.is_present]
        fleet = self._fleet = Fleet(tuple(self._member(each.index, now) for each in members))
        return fleet

    def _member(self, index: int, now: float) -> MemberView:
        board, name = self._knowledge.board, self._knowledge.members[index].name
        health = board.health[index]
        return MemberView(
            name=name,
            state=health.state,
            effective_weight=board.weight(index, now),
            load=self._view.loads[index],
            last_well_at=health.last_well_at,
            estimates=self._learned.estimates(name, NOTHING_REPORTED),
        )
