"""Speed and reliability, measured outside CI: ``python -m benchmarks`` and ``python -m benchmarks.seeds``."""
