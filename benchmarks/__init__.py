"""Scripts that measure the method: each prints its table and keeps it in `results/`."""
