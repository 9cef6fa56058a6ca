"""Typed settings, from YAML files and the environment."""
