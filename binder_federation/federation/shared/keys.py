"""Every key that the federation has in Redis: its name and how long it lives.

Nothing else puts a key name together. A name begins with the deployment's prefix, so
that two federations may share a Redis, and with the version of the layout, so that
replicas of two versions do not read each other's keys while they are replaced.
"""

from dataclasses import dataclass

LAYOUT_VERSION = 1
"""Raised when what a key holds changes its form."""

IMAGE_LIFETIME_SECONDS = 30 * 86_400
"""For a bucket since it was last written; single facts are dropped by their own day."""
BUILT_LIFETIME_SECONDS = 14 * 86_400
REF_LIFETIME_SECONDS = 86_400
"""An answer is believed for a minute; it is kept for its ETag, and for a provider that is down."""
MEMBER_REPORT_LIFETIME_SECONDS = 60
VOTES_LIFETIME_SECONDS = 120
REPLICA_LIFETIME_SECONDS = 5.0
EPOCH_LIFETIME_SECONDS = 3650 * 86_400
"""For ever; what is left of it tells how old the epoch is."""
CLAIM_LIFETIME_SECONDS = 60
"""How long a replica may take for its part of the work that replicas share."""
HISTORY_LIFETIME_SECONDS = 100 * 86_400
"""Since it was last written; incidents of 90 days are told."""
SCRIBE_LIFETIME_SECONDS = 10.0
"""How long a replica that writes the history may be silent until another one does."""

FACTS_ENTRIES = 1_000_000
NEWS_ENTRIES = 20_000
FACTS_KEPT_SECONDS = 3600.0
"""A replica that was away for longer reads the facts themselves again."""

BUCKET_BITS = 18
"""Small hashes are packed by Redis: 10 bytes per field instead of about 100. At 3 members and
1 million images a bucket has 12 fields; up to 128 stay packed (`hash-max-listpack-entries`)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The key names of one deployment."""

    prefix: str = "bf"

    def image_bucket(self, bucket: int) -> str:
        """A hash of what members hold: rest of the image key and member → packed fact."""
        return f"{self._root}image:{bucket:05x}"

    @property
    def image_buckets(self) -> str:
        """A pattern of all image buckets."""
        return f"{self._root_pattern}image:*"

    def built_bucket(self, bucket: int) -> str:
        """A hash of who built which repository: hash of its name and member → day."""
        return f"{self._root}built:{bucket:05x}"

    @property
    def built_buckets(self) -> str:
        """A pattern of all buckets of repositories."""
        return f"{self._root_pattern}built:*"

    def bucket_of(self, name: bytes) -> int:
        """The number that a bucket's key name ends with."""
        return int(name[name.rindex(b":") + 1 :], 16)

    def lease(self, image_key: str) -> str:
        """Who builds the image."""
        return f"{self._root}lease:{image_key}"

    @property
    def leases(self) -> str:
        """A pattern of all leases."""
        return f"{self._root_pattern}lease:*"

    def image_key_of_lease(self, name: bytes) -> str:
        """The image key in the name of a lease."""
        return name[name.rindex(b":") + 1 :].decode()

    def ref(self, ref_key: str) -> str:
        """The last answer about a ref; `ref_key` is `<provider>:<repository>@<ref>`."""
        return f"{self._root}ref:{ref_key}"

    def member(self, name: str) -> str:
        """A member's last report, without its images."""
        return f"{self._root}member:{name}"

    @property
    def members(self) -> str:
        """A pattern of all members' reports."""
        return f"{self._root_pattern}member:*"

    def member_of(self, name: bytes) -> str:
        """The member in the name of a report's key."""
        return name[name.rindex(b":") + 1 :].decode()

    def votes(self, replica_id: str) -> str:
        """What one replica holds of its members' health."""
        return f"{self._root}votes:{replica_id}"

    @property
    def all_votes(self) -> str:
        """A pattern of all replicas' votes."""
        return f"{self._root_pattern}votes:*"

    def replica(self, replica_id: str) -> str:
        """There while the replica lives."""
        return f"{self._root}replica:{replica_id}"

    def launch(self, launch_id: str) -> str:
        """A hash of who runs a launch, and its state."""
        return f"{self._root}launch:{{{launch_id}}}"

    def launch_events(self, launch_id: str) -> str:
        """A stream of a launch's events. The braces keep it where the launch's hash is."""
        return f"{self.launch(launch_id)}:events"

    def prebuild(self, prebuild_id: str) -> str:
        """A pre-build, as the replica that runs it last told."""
        return f"{self._root}prebuild:{prebuild_id}"

    def claim(self, work: str) -> str:
        """A replica does this part of some work; the others need not."""
        return f"{self._root}claim:{work}"

    def checks(self, member: str) -> str:
        """The checklist of a member that joins."""
        return f"{self._root}checks:{member}"

    def launches_of(self, address: str) -> str:
        """How many launches an address has begun in its present window."""
        return f"{self._root}rate:{address}"

    @property
    def history(self) -> str:
        """A hash of what became of each member. The braces keep it where its scribe is."""
        return f"{self._root}{{history}}:members"

    @property
    def scribe(self) -> str:
        """Which replica writes the history."""
        return f"{self._root}{{history}}:scribe"

    def tally(self, slot_seconds: int, slot: int) -> str:
        """A hash of launches counted by member and kind, in one slot of time."""
        return f"{self._root}tally:{slot_seconds}:{slot}"

    @property
    def visitor_key(self) -> str:
        """The key that signs visitors' build tokens, where the settings name none."""
        return f"{self._root}visitor-key"

    @property
    def steering(self) -> str:
        """A hash of the steering document and its revision. It lives until it is lost."""
        return f"{self._root}{{steering}}"

    @property
    def steering_audit(self) -> str:
        """A stream of who changed it. The braces keep it where the document is."""
        return f"{self.steering}:audit"

    @property
    def epoch(self) -> str:
        """Another value when Redis has lost what it held."""
        return f"{self._root}epoch"

    @property
    def facts(self) -> str:
        """The stream of facts, leases and decisions."""
        return f"{self._root}facts"

    @property
    def news(self) -> str:
        """A short stream of what is soon told again: reports and votes."""
        return f"{self._root}news"

    @property
    def _root(self) -> str:
        return f"{self.prefix}{LAYOUT_VERSION}:"

    @property
    def _root_pattern(self) -> str:
        """`_root` as a pattern of SCAN. The settings allow nothing that means more there."""
        return self._root
