"""A discrete-event simulation that drives the functions of `federation.core` with traces.

    trace → world (what happens whatever is decided) → engine ⇄ policy (what it knows, whom
    it picks) → outcome

The world is drawn once per seed, entity by entity, so every policy is tried on the same
one. Time is simulated, in seconds since the trace's first minute.
"""
