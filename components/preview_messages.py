"""Says at a preview what a change does to what runs.

Each message belongs to the component whose hook says it, so that `pulumi preview --json` has its
URN: reports/pulumi_preview.py knows the messages by that, and the comment of a pull request says
the same as the preview.
"""

from collections.abc import Iterable

import pulumi

from rollouts import Sentence


def say(sentences: Iterable[Sentence], owner: pulumi.Resource) -> None:
    """Says sentences about the resources of a component of this program."""
    for sentence in sentences:
        (pulumi.warn if sentence.warns else pulumi.info)(sentence.text, owner)
