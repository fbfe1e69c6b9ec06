"""Attractors followed through training: branches of fixed points and cycles, and the bifurcations that they meet."""
