"""How the local cloud starts pulumi."""

import signal
import subprocess
import sys

from localcloud.cloud import interruptible

INTERRUPT = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGINT)"]


def test_a_command_of_a_script_in_the_background_can_be_interrupted(
    ignoring_interrupts: None,
) -> None:
    """The engine ends its plugins so, and would wait five seconds for each."""
    with interruptible():
        assert subprocess.run(INTERRUPT, check=False, stderr=subprocess.DEVNULL).returncode != 0
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert subprocess.run(INTERRUPT, check=False).returncode == 0
