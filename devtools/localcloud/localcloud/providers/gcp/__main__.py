"""Start the `gcp` stand-in; the engine runs this as `pulumi-resource-gcp`."""

from localcloud.providers.messages import declare_pulumi

if __name__ == "__main__":
    declare_pulumi()  # before anything imports pulumi's messages
    from localcloud.providers.gcp.provider import GcpProvider
    from localcloud.providers.server import serve

    serve(GcpProvider())
