"""Institutions join by invitation: who may, as whom, and whether visitors are served well there.

`invitations.py` and `exchange.py` make a member of an invitation, `keys.py` derives its
credential, `signatures.py` and `replays.py` tell whether a report is its own and new,
`preflight/` finds what a visitor would meet there and `admissions.py` runs that until it passes,
`rotation.py` and `leaving.py` are what may come later. All that is kept is in the steering
document.
"""
