"""Each stage as it is published, in plain NumPy: the yardstick of speed, and the oracle that tests hold the product to.

Nothing here is clever on purpose: dense arrays over all points, one frame, superpoint, view or pair after the other.
"""
