"""Start the `gcp` stand-in; the engine runs this as `pulumi-resource-gcp`."""

from localcloud.providers.gcp.provider import GcpProvider
from localcloud.providers.server import serve

if __name__ == "__main__":
    serve(GcpProvider())
