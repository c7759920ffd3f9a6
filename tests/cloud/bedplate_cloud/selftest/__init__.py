"""Checks of the local cloud itself: one per row of the README's table."""
