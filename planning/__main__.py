"""Runs `python -m planning`."""

import sys

from planning.command_line import main

sys.exit(main())
