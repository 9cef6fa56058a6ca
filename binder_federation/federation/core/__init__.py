"""The decision: which member gets a launch. Pure: snapshot → eligible → cost → choice.

Nothing here knows a clock, a socket or a log. What is known comes in as a frozen
`Fleet` and `ImageView` with `now` and an `rng`; a `Decision` with its reasons comes out.
"""
