"""Questions that several panels ask, each written once.

Whether a member is well is asked of all replicas, and the worst answer counts: a replica whose
own network is broken is seen, and no member is green because one replica has not noticed yet. A
series that is only left cannot make anybody green either: states are written as 0 or 1, replicas
that are gone have none (Prometheus marks their series as ended), and members that left have none.
"""

from monitoring.metrics import RATE, WELL, increase, metric, not_ours, rate

STATES = (
    (0, "up", "green"),
    (1, "recovering", "light-green"),
    (2, "degraded", "yellow"),
    (3, "draining", "blue"),
    (4, "unknown", "text"),
    (5, "ejected", "orange"),
    (6, "suspect", "orange"),
    (7, "down", "red"),
)
"""A member's state as a number, its word and its colour: the more, the worse."""


def well(labels: str = "") -> str:
    """1 or 0 for each member: well, and not ejected, for every replica."""
    state = metric("member_state", _join(labels, f'state=~"{WELL}"'))
    ejected = metric("member_ejected", labels)
    return f"min by (member) (sum without (state) ({state}) * (1 - {ejected}))"


def state_by_replica(labels: str = "") -> str:
    """The state of each member at each replica, as a number of `STATES`.

    A replica writes all states of a member, so the sum is the number of the one that is 1.
    """
    terms = [
        f"{value} * sum without (state) ({metric('member_state', _join(labels, _state(word)))})"
        for value, word, _color in STATES
        if word != "ejected"
    ]
    ejected = f"5 * {metric('member_ejected', labels)}"
    return f"(({' + '.join(terms)}) > ({ejected})) or ({ejected})"


def worst_state(labels: str = "") -> str:
    """The worst of what replicas say of each member."""
    return f"max by (member) ({state_by_replica(labels)})"


def members() -> str:
    """How many members there are."""
    return f"count(max by (member) ({metric('member_info')}))"


def launches_per_minute(labels: str = "") -> str:
    """Launches that ended, a minute."""
    return f"60 * sum({rate('launches_total', labels)})"


def success_share(labels: str = "", *, over: str = RATE, is_first: bool = False) -> str:
    """Ready launches as a share of those that nobody outside spoiled; 1 is all.

    `is_first` counts only those that the first attempt made ready.
    """
    first = ',first_attempt="yes"' if is_first else ""
    ready = _growth(_join(labels, 'outcome="ready"' + first), over)
    counted = _growth(_join(labels, f'outcome!~"{not_ours()}"'), over)
    return f"sum({ready}) / (sum({counted}) > 0)"


def success_by_member(labels: str = "", *, over: str = RATE) -> str:
    """The share of attempts at each member that were ready, of those that it could spoil."""
    ready = f"increase({metric('attempts_total', _join(labels, _READY))}[{over}])"
    counted = f"increase({metric('attempts_total', _join(labels, _COUNTED))}[{over}])"
    return f"sum by (member) ({ready}) / (sum by (member) ({counted}) > 0)"


def quantile(share: float, name: str, by: str = "", labels: str = "") -> str:
    """A quantile of a histogram; `by` are further labels to keep, as `, member`."""
    return f"histogram_quantile({share:g}, sum by (le{by}) ({rate(f'{name}_bucket', labels)}))"


def quantile_over(share: float, name: str, over: str) -> str:
    """A quantile of a histogram over a longer time."""
    grown = f"increase({metric(f'{name}_bucket')}[{over}])"
    return f"histogram_quantile({share:g}, sum by (le) ({grown}))"


def sessions(labels: str = "") -> str:
    """Sessions that run or start, of each member."""
    running = metric("member_sessions", _join(labels, 'kind=~"running|pending"'))
    return f"max by (member) (sum without (kind) ({running}))"


def sessions_of(kind: str) -> str:
    """Sessions of one kind, of each member."""
    labels = f'kind="{kind}"'
    return f"max by (member) ({metric('member_sessions', labels)})"


def capacity(labels: str = "") -> str:
    """Places of each member."""
    return f"max by (member) ({metric('member_capacity', labels)})"


def total(name: str, labels: str = "") -> str:
    """A counter's growth in the time shown, of all replicas."""
    return f"sum({increase(name, labels)})"


_READY = 'outcome="ready"'
_COUNTED = 'outcome=~"ready|member|federation"'


def _growth(labels: str, over: str) -> str:
    return f"increase({metric('launches_total', labels)}[{over}])"


def _state(word: str) -> str:
    return f'state="{word}"'


def _join(*labels: str) -> str:
    return ",".join(each for each in labels if each)
