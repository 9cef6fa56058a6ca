"""The reference pages of the documentation, made from what they describe.

`python -m tests.support.reference` writes them below docs/reference; a unit test tells when that
was forgotten.
"""
