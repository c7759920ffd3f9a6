"""Patterns in filters."""

import fnmatch


def like(value: str, pattern: str) -> bool:
    """EC2's filter values know `*` and `?`."""
    return value == pattern or fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))
