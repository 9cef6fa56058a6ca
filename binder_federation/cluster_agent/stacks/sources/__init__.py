"""Repositories into folders: git, its submodules, and the rules for URLs."""
