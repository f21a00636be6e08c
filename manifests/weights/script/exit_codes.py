"""What the program ends with, which the Job's policy reads."""

from typing import Final

HOPELESS: Final = 42
"""Nothing is tried again: the repository, its revision or the right to read it is missing."""
