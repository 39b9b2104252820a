"""The node as a process of its own under a camera's load: time, memory, and how it ends."""
