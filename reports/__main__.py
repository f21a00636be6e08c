"""Runs `python -m reports`."""

import sys

from reports.command_line import main

sys.exit(main())
