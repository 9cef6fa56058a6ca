"""What the status page, `/api/status` and `/status.atom` tell.

`gathering.py` takes what is known now, `report.py` is the form it has, `words.py` says it in
words, `body.py` and `atom.py` write it down, `board.py` makes all of it once a second at most.
"""
