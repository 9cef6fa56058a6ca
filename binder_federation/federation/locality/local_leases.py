"""The leases that this replica knows of: its own, and those that it was told of."""

from collections import OrderedDict
from collections.abc import Iterator

from binder_federation.federation.locality.contract import Lease

MOST_LEASES = 100_000


class LocalLeases:
    """Leases by image key, bounded; the oldest go first."""

    def __init__(self, *, most_leases: int = MOST_LEASES) -> None:
        self._leases: OrderedDict[str, Lease] = OrderedDict()
        self._most_leases = most_leases

    def get(self, image_key: str, *, now: float) -> Lease | None:
        """The lease that holds."""
        lease = self._leases.get(image_key)
        if lease is None or now < lease.expires_at:
            return lease
        del self._leases[image_key]
        return None

    def put(self, lease: Lease) -> None:
        """This lease holds."""
        self._leases[lease.image_key] = lease
        if len(self._leases) > self._most_leases:
            self._leases.popitem(last=False)

    def put_earlier(self, lease: Lease) -> None:
        """Of this lease and the one that is known, the earlier one holds.

        Replicas that could not reach each other may each have given one away; by this rule
        all come to hold the same.
        """
        known = self._leases.get(lease.image_key)
        if known is None or (lease.since, lease.member) < (known.since, known.member):
            self.put(lease)

    def drop(self, image_key: str, member: str) -> bool:
        """The member's lease ended; whether it had one."""
        lease = self._leases.get(image_key)
        if lease is None or lease.member != member:
            return False
        del self._leases[image_key]
        return True

    def held(self, *, now: float) -> Iterator[Lease]:
        """All that hold."""
        return iter([lease for lease in self._leases.values() if now < lease.expires_at])

    def of_member(self, member: str) -> list[Lease]:
        """The member's leases."""
        return [lease for lease in self._leases.values() if lease.member == member]
