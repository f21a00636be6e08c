"""Stand-ins for Pulumi's `gcp` and `kubernetes` provider plugins.

Each is a gRPC server that the engine starts as it would start the real plugin.
They simulate Google's and Kubernetes' APIs on one JSON file per service
(`localcloud/store.py`); nothing leaves this machine.
"""
