"""From 2D tracks to 3D proposals (paper, Sec. 3.2): lifting, refinement, merging."""
