"""Points: states that stay or come back, stable or not, and where a network goes, so that they are looked for there."""
