"""Numerical methods on maps: iterating, zeros, multipliers, exponents, averages. They know of no probe."""
