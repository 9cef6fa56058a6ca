"""Settings that belong to one kind of stack."""
