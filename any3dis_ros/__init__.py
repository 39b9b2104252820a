"""Any3DIS for robots: every object in the room as a 3D instance, without being told classes."""

__version__ = "0.1.0"
