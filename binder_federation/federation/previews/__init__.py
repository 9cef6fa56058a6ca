"""A look at the notebook that a link opens, while its server starts.

`targets.py` says which file that is, `sources.py` where it can be had, `fetching.py` gets
it, `worker.py` renders it in a process of its own, `sanitizing.py` makes it harmless, and
`previews.py` keeps what was made. Nothing here may hold up or fail a launch: whatever goes
wrong, there is just no preview.
"""
