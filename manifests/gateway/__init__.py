"""The gateway: Envoy, its configuration and the objects that run it.

`gateway_manifests` brings the writers together. What Envoy reads is of two kinds: the start file,
which a pod reads once, and the files that it watches, which change while it runs.
"""
