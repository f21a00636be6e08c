"""`python -m localcloud.cluster up | down | status`: start, stop and inspect the local cluster."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from localcloud.cluster.cluster import ClusterError
from localcloud.cluster.lifecycle import down, status, up
from localcloud.cluster.ray_environments import STAND_IN
from localcloud.go_build import BuildError
from localcloud.store import default_home


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.cluster", description=__doc__)
    parser.add_argument("command", choices=["build", "up", "down", "status", "supervise"])
    parser.add_argument("--serve-port", type=int, default=8000, help="0: any free port")
    parser.add_argument("--dashboard-port", type=int, default=8265, help="0: any free port")
    parser.add_argument(
        "--ray", default="", help="Ray releases, by commas, whose images there are; default: all"
    )
    parser.add_argument("--engine", default=STAND_IN, help="what runs the models (%(default)s)")
    parser.add_argument("--owner", type=int, help="end when the process with this id ends")
    parser.add_argument("--home", type=Path, help="default: .localcloud in the checkout")
    options = parser.parse_args(argv)
    home = options.home or default_home()
    releases = options.ray.split(",") if options.ray else None
    try:
        if options.command == "supervise":
            from localcloud.cluster.installation import installed
            from localcloud.cluster.supervisor import supervise

            return asyncio.run(
                supervise(
                    home / "cluster",
                    installed(releases, options.engine),
                    options.serve_port,
                    options.dashboard_port,
                    options.owner,
                )
            )
        if options.command == "build":
            from localcloud.cluster.installation import install

            # As Ctrl-C does, SIGTERM also ends Go, which runs in a session of its own.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            install(releases, options.engine)
        elif options.command == "up":
            ports = {"serve_port": options.serve_port, "dashboard_port": options.dashboard_port}
            up(home, **ports, owner=options.owner, releases=releases, engine=options.engine)
        elif options.command == "down":
            down(home)
        else:
            return status(home)
    except (ClusterError, BuildError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
