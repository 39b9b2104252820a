"""The engine that needs no network: a promptable RGB-D segmenter and tracker for the CPU.

Once a keyframe: edges from depth, normals and colour → superpixels → merge tree. A prompt picks nested nodes of it.
A track carries what is known of the object in 3D into the next view by its pose, for and against, and takes the node
that agrees best.
"""

from any3dis_ros.tracking.geometric.session import GeometricSession, GeometricTracker

__all__ = ["GeometricSession", "GeometricTracker"]
