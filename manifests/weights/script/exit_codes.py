"""What the program ends with, besides 0."""

from typing import Final

HOPELESS: Final = 42
"""Another run would end the same way: the repository, its revision or the right to read it is
missing. Any other code is of a run that the next one goes on with."""
