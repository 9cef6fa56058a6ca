"""The language that the federation and its members speak."""
