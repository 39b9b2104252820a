"""Reading scenes and writing results."""
