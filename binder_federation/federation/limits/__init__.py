"""What the federation limits: who asks (addresses), how often, how many sessions and builds."""
