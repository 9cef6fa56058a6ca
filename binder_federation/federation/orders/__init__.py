"""What an operator's order does to the steering document. Pure: a document in, the next one out.

`subjects.py` finds the member that is meant, `members.py`, `bans.py` and `quotas.py` make the
edits and refuse what cannot be meant, `describe.py` tells what is in force.
`handlers/steering/` brings requests here.
"""
