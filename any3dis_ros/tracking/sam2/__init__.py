"""The engine of the paper: SAM 2, run as a robot can afford it.

Every keyframe is encoded once and its features are shared by all objects, directions and rounds. Objects that remember
the same number of frames run as one batch, whatever keyframes they are at. What an object remembers is pruned to what
SAM 2 ever reads again. Masks stay low-resolution logits and are sampled where map points fall.

Only the modules here import torch and sam2, and only once an engine is made.
"""
