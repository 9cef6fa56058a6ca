"""How much longer a server takes to start at a busy member."""


def spawn_factor(utilisation: float) -> float:
    """`1 + 2u⁸` (design, "The decision"): hardly more until a member is nearly full."""
    return 1.0 + 2.0 * min(utilisation, 1.0) ** 8
