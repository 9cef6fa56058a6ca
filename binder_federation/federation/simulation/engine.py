"""The simulation itself: launches come, a policy picks, members do as they would.

Two heaps hold what is to come: sessions that end (one per launch, so plain tuples) and
everything else (`agenda.py`). Nothing here decides where a launch goes.
"""

from array import array
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from math import inf

from binder_federation.federation.learned import Work
from binder_federation.federation.simulation.agenda import Agenda
from binder_federation.federation.simulation.build_line import Build
from binder_federation.federation.simulation.health_board import HealthBoard
from binder_federation.federation.simulation.knowledge import Knowledge
from binder_federation.federation.simulation.launch import Launch
from binder_federation.federation.simulation.member import SimMember
from binder_federation.federation.simulation.policies.contract import Policy
from binder_federation.federation.simulation.settings import FleetSettings, Registries
from binder_federation.federation.simulation.spawning import spawn_factor
from binder_federation.federation.simulation.tally import Loss, Tally
from binder_federation.federation.simulation.world import Image, World

SAMPLE_SECONDS = 300.0
BREAK_SECONDS = 0.1
"""A stream of a member that is lost breaks at once."""
PROGRESS_EVERY = 2000


class Engine:
    """One policy in one world."""

    def __init__(
        self,
        world: World,
        members: Sequence[SimMember],
        *,
        policy: Policy,
        knowledge: Knowledge,
        board: HealthBoard,
        agenda: Agenda,
        settings: FleetSettings,
        tally: Tally,
        bound: "array[float]",
    ) -> None:
        self._world = world
        self._members = members
        self._policy = policy
        self._knowledge = knowledge
        self._board = board
        self._agenda = agenda
        self._settings = settings
        self._tally = tally
        self._bound = bound
        self._ends: list[tuple[float, int, int]] = [(inf, 0, 0)]
        self._first_builds: set[int] = set()

    def run(self, on_progress: Callable[[int], None] = lambda _launches: None) -> None:
        """Let all launches come, and those that wait then become ready."""
        world, settings = self._world, self._settings
        self._agenda.add(SAMPLE_SECONDS, self._sample)
        for number, now in enumerate(world.at):
            if self._ends[0][0] <= now or self._agenda.next_at <= now:
                self._catch_up(now)
            replica = world.replica[number] * settings.replicas >> 8
            image = world.images[world.image[number]]
            self._place(Launch(number, image, replica=replica, arrived_at=now), now=now)
            if number % PROGRESS_EVERY == 0:
                on_progress(number)
        while self._agenda.next_at < inf:
            self._catch_up(self._agenda.next_at)
        on_progress(len(world))

    def lose(self, index: int, *, now: float) -> None:
        """A member is gone, and with it its sessions and its builds."""
        member = self._members[index]
        member.is_up = False
        member.epoch += 1
        member.used = 0
        broken = member.builds.clear()
        member.note_load(now)
        self._board.watch(index, now)
        for build in broken:
            self._policy.copy_ended(build.image, index)
            for launch, _ in build.waiting:
                self._policy.build_broke(build.image, index, launch.replica)
                self._try_elsewhere(launch, member, now + BREAK_SECONDS)

    def restore(self, index: int, *, now: float) -> None:
        """The member is back, with its images."""
        self._members[index].is_up = True
        self._members[index].is_present = True
        self._board.watch(index, now)

    def join(self, index: int, *, now: float) -> None:
        """A further member comes, with nothing."""
        self.restore(index, now=now)
        self._board.probe_soon(index, now)
        self._policy.fleet_changed()

    def _catch_up(self, now: float) -> None:
        """Let happen what is due."""
        ends, agenda, members = self._ends, self._agenda, self._members
        while True:
            end_at = ends[0][0]
            if end_at <= now and end_at <= agenda.next_at:
                _, index, epoch = heappop(ends)
                member = members[index]
                if member.epoch == epoch:
                    member.leave(end_at)
            elif agenda.next_at <= now:
                agenda.run_first()
            else:
                return

    def _place(self, launch: Launch, *, now: float) -> None:
        """Send the launch to members until one takes it."""
        for _ in range(len(launch.tried), self._settings.attempts):
            index = self._policy.pick(launch, now)
            if index is None:
                break
            self._knowledge.note_sent(index, launch.replica, now)
            member = self._members[index]
            if not member.is_up:
                self._knowledge.note_refused(index, launch.replica, is_full=False)
                self._board.probe_soon(index, now)
                self._try_elsewhere(launch, member, now + self._settings.connect_seconds)
                return
            if not member.is_full:
                self._serve(launch, member, now)
                self._copy(launch, now)
                return
            self._knowledge.note_refused(index, launch.replica, is_full=True)
            self._policy.build_broke(launch.image, index, launch.replica)
            self._tally.count("refused_by_member", now)
            launch.tried |= {member.name}
            now += self._settings.refusal_seconds
        self._refuse(now)

    def _try_elsewhere(self, launch: Launch, member: SimMember, at: float) -> None:
        self._tally.count("failovers", at)
        launch.tried |= {member.name}
        self._policy.build_broke(launch.image, member.index, launch.replica)
        self._agenda.add(at, self._place, launch)

    def _refuse(self, now: float) -> None:
        self._tally.count("refusals", now)
        if any(member.is_up and not member.is_full for member in self._members):
            self._tally.count("refusals_with_room", now)

    def _serve(self, launch: Launch, member: SimMember, now: float) -> None:
        """The member takes the launch; what it does follows from where the image is."""
        member.take(now)
        image = launch.image
        if member.cache.touch(image.id):
            pull = member.seconds_to_pulled(image.id, now)
        elif member.is_in_registry(image, now):
            pull = self._pull(member, image, now)
        else:
            build = member.builds.by_image.get(image.id)
            if build is None:
                build = self._build(member, image, now)
            build.waiting.append((launch, now))
            return
        self._policy.saw_image(image, member.index, launch.replica, now)
        self._start(launch, member, taken_at=now, pull_at=now, pull=pull, build=None)

    def _pull(self, member: SimMember, image: Image, now: float, factor: float = 1.0) -> float:
        seconds, gone = member.pull(image, now, factor=factor)
        self._tally.count("pulls", now)
        self._policy.image_changed(image, member.index, now, is_on_node=True)
        for image_id in gone:
            self._policy.image_changed(
                self._world.images[image_id], member.index, now, is_on_node=False
            )
        return seconds

    def _build(
        self, member: SimMember, image: Image, now: float, *, is_copy: bool = False
    ) -> Build:
        is_duplicate = image.id in self._first_builds
        if is_duplicate and not is_copy:
            self._tally.count_duplicate(self._why_again(member, image, now), now)
        self._first_builds.add(image.id)
        build = Build(image, is_duplicate=is_duplicate)
        self._tally.count_build(now, is_duplicate=is_duplicate, is_copy=is_copy)
        member.builds.add(build)
        member.note_load(now)
        self._start_builds(member, now)
        return build

    def _why_again(self, member: SimMember, image: Image, now: float) -> str:
        """Why an image is built that exists, or is being built, elsewhere."""
        others = [
            each
            for each in self._members
            if each is not member and (each.holds(image, now) or image.id in each.builds.by_image)
        ]
        if not others:
            return "gone"
        if not any(each.is_up for each in others):
            return "holder_lost"
        if all(each.is_full for each in others if each.is_up):
            return "holders_full"
        return "chosen"

    def _start_builds(self, member: SimMember, now: float) -> None:
        while build := member.builds.next_to_start():
            image = build.image
            factor = member.build_factor(image.repository, now)
            build.started_at = now
            build.done_at = now + factor * (image.build_seconds + image.transfer_seconds)
            self._agenda.add(build.done_at, self._end_build, build, member, member.epoch, factor)

    def _end_build(
        self, build: Build, member: SimMember, epoch: int, factor: float, *, now: float
    ) -> None:
        if member.epoch != epoch:
            return
        image = build.image
        member.builds.remove(build)
        member.note_built(image, now)
        member.note_load(now)
        self._start_builds(member, now)
        if self._settings.registries is Registries.REPLICATED:
            after = now + self._settings.replication_seconds
            self._agenda.add(after, self._replicated, image)
        pull = self._pull(member, image, now, factor)
        for replica in build.replicas:
            self._policy.saw_image(image, member.index, replica, now)
        if build.copied_for is not None:
            self._policy.copy_ended(image, member.index)
        if build.waiting:
            self._policy.timed(member.index, Work.BUILD, image.build_seconds)
            self._policy.timed(member.index, Work.PUSH, image.transfer_seconds)
        for launch, taken_at in build.waiting:
            self._start(launch, member, taken_at=taken_at, pull_at=now, pull=pull, build=build)

    def _replicated(self, image: Image, *, now: float) -> None:
        self._policy.image_replicated(image, now)

    def _copy(self, launch: Launch, now: float) -> None:
        """Members prepare the image in the background."""
        image = launch.image
        for index in self._policy.take_copies():
            member = self._members[index]
            build = member.builds.by_image.get(image.id)
            if not member.is_up:
                self._policy.copy_ended(image, index)
            elif member.cache.touch(image.id):
                self._policy.saw_image(image, index, launch.replica, now)
                self._policy.copy_ended(image, index)
            elif member.is_in_registry(image, now):
                self._pull(member, image, now)
                self._policy.saw_image(image, index, launch.replica, now)
                self._policy.copy_ended(image, index)
            else:
                build = build or self._build(member, image, now, is_copy=True)
                build.copied_for = launch.replica

    def _start(
        self,
        launch: Launch,
        member: SimMember,
        *,
        taken_at: float,
        pull_at: float,
        pull: float,
        build: Build | None,
    ) -> None:
        """The image is built: pull it, start the server, and let the session end some day."""
        number = launch.number
        spawn = self._world.spawn[number]
        load = spawn * (spawn_factor(member.used / member.slots) - 1.0)
        ready_at = pull_at + pull + spawn + load
        heappush(self._ends, (ready_at + self._world.session[number], member.index, member.epoch))
        tally = self._tally
        tally.seconds[number] = ready_at - launch.arrived_at
        tally.placed[number] = member.index
        if pull:
            self._policy.timed(member.index, Work.PULL, (pull + load) / pull)
        else:
            self._policy.timed(member.index, Work.SPAWN, spawn + load)
        if launch.arrived_at >= tally.from_seconds:
            lost = tally.lost_seconds
            lost[Loss.RETRIES] += taken_at - launch.arrived_at
            lost[Loss.LOAD] += load
            bound = self._bound[number]
            if build is None:
                lost[Loss.PULL] += pull - bound  # the bound's: it joined the image's first pull
            else:
                self._tally_build(build, taken_at, pull, bound)

    def _tally_build(self, build: Build, taken_at: float, pull: float, bound: float) -> None:
        lost = self._tally.lost_seconds
        queue = max(0.0, build.started_at - taken_at)
        lost[Loss.QUEUE] += queue
        needed = min(pull, bound)  # the bound pulls an image after its first build, too
        lost[Loss.PULL_AFTER_BUILD] += pull - needed
        loss = Loss.DUPLICATE_BUILD if build.is_duplicate else Loss.FIRST_BUILD
        lost[loss] += build.done_at - taken_at - queue - (bound - needed)

    def _sample(self, *, now: float) -> None:
        shares = [member.utilisation for member in self._members if member.is_up]
        if shares:
            self._tally.sample(now, shares)
        if now + SAMPLE_SECONDS <= self._world.seconds:
            self._agenda.add(now + SAMPLE_SECONDS, self._sample)
