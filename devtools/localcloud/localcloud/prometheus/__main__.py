"""Builds Prometheus and promtool, if they are not there: `python -m localcloud.prometheus`."""

import sys

from localcloud.go_build import BuildError
from localcloud.prometheus import prometheus_programs

if __name__ == "__main__":
    try:
        print(prometheus_programs().prometheus.parent)
    except BuildError as error:
        sys.exit(f"error: {error}")
