"""Scores on public data sets, from the user's own copy of them."""
