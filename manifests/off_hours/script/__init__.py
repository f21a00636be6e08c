"""The program of the schedule: it lets models sleep and wakes them, by the time alone.

It runs every five minutes in the cluster, in the Ray image, with the standard library, PyYAML and
the files that are mounted beside it, on Python 3.10 or later. `main.py` is its course, `minima.py`
changes the numbers in the text of a serve config.
"""
