"""Speed of every stage beside the published formulation, and how it grows with points, keyframes and tracks."""
