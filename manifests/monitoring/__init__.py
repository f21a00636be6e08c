"""Monitoring: what is collected, the alerts and dashboards on it, and the objects that hold them.

`objects` brings the writers together. Names of metrics come from models/catalog/metrics.yaml alone.
"""
