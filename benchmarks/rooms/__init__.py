"""Synthetic furnished rooms: models, layout, camera path, rendering, sensor and writers, all a function of one seed."""

GENERATOR_VERSION = 1  # raised whenever the same seed gives other arrays
