"""What became of the members: incidents and maintenance of 90 days, and launches counted.

`episodes.py` and `launch_counts.py` are pure: what is observed goes in, records come out.
`conditions.py` observes, `journal.py` keeps the records that all replicas agree on and
`tallies.py` the sums, each over a store in memory or in Redis. `history.py` has both.
"""
