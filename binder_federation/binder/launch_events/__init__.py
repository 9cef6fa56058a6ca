"""The launch event log: what ended launches leave behind, one line of JSON each.

`ended.py` is one ended launch, `log.py` checks it against BinderHub's schema (`launch.yaml`)
with jupyter-events, `places.py` are the handlers that the settings name, `writer.py` writes in
a thread of its own. Both services have such a log; only one of them tells of each launch.
"""
