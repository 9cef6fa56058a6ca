"""The places where the steering document may be kept: memory, a file, Redis."""
