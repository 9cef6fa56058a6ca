"""Going on with a launch at the member where it is: the decision was made by somebody else."""

from binder_federation.federation.core.choose import Decision, rank_candidates
from binder_federation.federation.core.eligible import Refusal
from binder_federation.federation.core.phrases import Reason
from binder_federation.federation.launch_state import Course
from binder_federation.federation.placing import Preview

_RULED_OUT = frozenset({Refusal.DRAINING, Refusal.INCOMPATIBLE, Refusal.DOWN})


def decide_to_stay(preview: Preview, course: Course) -> Decision | None:
    """The decision for the course's member; None when the launch is better decided anew.

    A full member is no hindrance: the launch has its place there. But where only the
    visitor says so, a member that may receive no launches gets none.
    """
    member = preview.fleet.by_name.get(course.member)
    if member is None:
        return None
    if not course.is_certain and preview.decision.refused.get(course.member) in _RULED_OUT:
        return None
    return preview.decision._replace(
        member=course.member,
        phrase=course.phrase or f"{course.member} is at it already",
        reason=Reason.TOOK_OVER,
        costs=rank_candidates(preview.fleet, (member,), preview.image, now=preview.now),
    )
