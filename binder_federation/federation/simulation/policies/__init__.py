"""Who picks the member: ours, and what it is compared with."""
