"""Messages ↔ arrays, both ways, and nothing else: one module for each kind of message."""
