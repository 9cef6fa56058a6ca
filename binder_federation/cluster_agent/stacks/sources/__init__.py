"""Repositories into folders: git, its submodules, downloads, and the rules for addresses."""
