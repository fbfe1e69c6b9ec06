"""What every room stands on: errors, randomness, threads, atomic files, named dimensions and the probe contract."""
