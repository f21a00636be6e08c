"""Says at a preview what a change does to what runs.

Each message belongs to the component whose hook says it, so that `pulumi preview --json` has its
URN: reports/pulumi_preview.py knows the messages by that, and the comment of a pull request says
the same as the preview.
"""

from collections.abc import Collection, Iterable

import pulumi

from models.problems import Problem, stops
from rollouts import Sentence


def say(sentences: Iterable[Sentence], owner: pulumi.Resource) -> None:
    """Says sentences about the resources of a component of this program."""
    for sentence in sentences:
        (pulumi.warn if sentence.warns else pulumi.info)(sentence.text, owner)


def stop_or_say(problems: Collection[Problem], owner: pulumi.Resource) -> None:
    """Raises RunError if a change is stopped; what it is allowed nevertheless is said at previews.

    problems: of one change.
    """
    if found := stops(problems):
        raise pulumi.RunError(" ".join(problem.sentence() for problem in found))
    if pulumi.runtime.is_dry_run():
        say((Sentence(problem.sentence(), warns=True) for problem in problems), owner)
