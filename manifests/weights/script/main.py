"""Fills the bucket: each repository into its folder, once.

A folder with a record is left as it is, without a question to the hub. In any other folder a file
stays if its checksum is the hub's, so that a Job that was killed goes on where it was.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from manifests.weights.script.exit_codes import HOPELESS
from manifests.weights.script.folder import KeptFolder, matches
from manifests.weights.script.hub import HubFile, fetched, listed
from manifests.weights.script.settings import Repository, Settings, settings_of

# With ten seconds before the second attempt, and ten more before each one after it, the last one is
# eleven minutes after the first: no Job starts the program again.
_ATTEMPTS: Final = 12

_DoneT = TypeVar("_DoneT")


class _HopelessError(Exception):
    """What another attempt does not mend."""


def main() -> int:
    """Fills all folders and returns the exit code: 0, 1, or HOPELESS."""
    settings = settings_of()
    try:
        for repository in settings.repositories:
            _fill(repository, settings)
    except _HopelessError as error:
        print(error)
        return HOPELESS
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    return 0


def _fill(repository: Repository, settings: Settings) -> None:
    source = repository.source
    folder = KeptFolder(settings.target / repository.folder)
    if folder.is_complete():
        print(f"{source}: complete, nothing to fetch")
        return
    pause = settings.pause_seconds
    commit, files = _again(lambda: _listed(repository, settings.token), source, pause)
    total = sum(file.size for file in files)
    done = 0
    for number, file in enumerate(files, start=1):
        if not folder.has(file):
            _again(lambda: _keep(repository, commit, file, folder, settings), source, pause)  # noqa: B023
        done += file.size
        print(
            f"{source}: {number} of {len(files)} files, {done / 1e9:.1f} of {total / 1e9:.1f} GB",
            flush=True,
        )
    folder.complete(source, commit, files)
    print(f"{source}: complete at {commit}")


def _listed(repository: Repository, token: str | None) -> tuple[str, tuple[HubFile, ...]]:
    with _refusals(repository):
        return listed(
            repository.source, repository.revision, token, any_format=repository.any_format
        )


@contextmanager
def _refusals(repository: Repository) -> Iterator[None]:
    """Takes what the hub refuses for good as hopeless.

    It lists the files of a gated repository for everybody, and refuses the files themselves.
    """
    source, revision = repository.source, repository.revision
    try:
        yield
    except GatedRepoError:
        raise _HopelessError(
            f"{source}: is gated, and the stack's Hugging Face token may not read it. Accept its "
            "terms on its page with the account of the token."
        ) from None
    except RevisionNotFoundError:
        raise _HopelessError(f"{source}: has no revision {revision}") from None
    except RepositoryNotFoundError:
        raise _HopelessError(
            f"{source}: there is no such repository, or the stack's token may not read it"
        ) from None


def _keep(
    repository: Repository, commit: str, file: HubFile, folder: KeptFolder, settings: Settings
) -> None:
    try:
        with _refusals(repository):
            staged = fetched(repository.source, commit, file, settings.staging, settings.token)
    except LocalEntryNotFoundError:
        raise  # the hub did not answer, which is not to say that the file is gone
    except EntryNotFoundError:
        raise _HopelessError(f"{repository.source}: {file.path} is gone from the hub") from None
    try:
        if not matches(staged, file):
            raise OSError(f"{file.path} came with another checksum than the hub names")
        folder.keep(staged, file)
    finally:
        staged.unlink(missing_ok=True)


def _again(work: Callable[[], _DoneT], source: str, pause_seconds: float) -> _DoneT:
    """Does some work, several times if the network or the hub fails."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return work()
        except _HopelessError:
            raise
        except Exception as error:
            print(f"{source}: {type(error).__name__}: {error}; again", flush=True)
            time.sleep(pause_seconds * attempt)
    return work()


if __name__ == "__main__":
    sys.exit(main())
