"""How this agent came to be a member, and stays one: the invitation, what is kept, the checklist.

`record.py` is what is kept and `stores/` where; `identity.py` is who the agent is just now, which
the rest of the agent reads; `keeper.py` keeps the two in step; `federation_api.py` asks the
federation, `joiner.py` does so while the agent serves and `command.py` for a person at a terminal.
"""
