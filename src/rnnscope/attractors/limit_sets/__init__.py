"""Limit sets: where orbits go, of which kind that is, and which of them are one and the same."""
