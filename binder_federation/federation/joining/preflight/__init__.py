"""What a visitor would meet at a member that joins, found out from the federation's side.

Each check is one function in a module of its own and gives a `JoinCheck`: its name, a verdict, a
sentence, and what to mend. `run.py` has their order.
"""
