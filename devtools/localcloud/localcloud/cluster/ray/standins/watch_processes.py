"""Replaces the waiting of `ray start --block` in a pod: ends with 1 if a Ray process fails.

The arguments are the process ids to watch, which are children of this process. As in Ray, a process
that was terminated does not count as failed: a raylet that the autoscaler has drained ends well,
and its pod exists until KubeRay deletes it. Otherwise KubeRay would replace the drained worker.
"""

import os
import signal
import sys

_TOLD_TO_END = (0, signal.SIGTERM, -signal.SIGTERM, 128 + signal.SIGTERM)


def watch(watched: set[int]) -> int:
    """Wait until one of the processes fails; when none is left, wait for a signal."""
    for process in watched:
        try:
            os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            sys.stderr.write(f"a Ray process ({process}) had ended before it was watched\n")
            return 1
    while True:
        try:
            process, status = os.wait()
        except ChildProcessError:
            signal.pause()
            continue
        code = os.waitstatus_to_exitcode(status)
        if process in watched and code not in _TOLD_TO_END:
            sys.stderr.write(f"a Ray process ({process}) has ended with {code}\n")
            return 1


if __name__ == "__main__":
    sys.exit(watch(set(map(int, sys.argv[1:]))))
