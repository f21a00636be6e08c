"""Prints the nodes' resources and labels, and where placement groups' bundles are, as JSON."""

import json

import ray
from ray.util import placement_group_table

ray.init(logging_level="ERROR", log_to_driver=False)
alive = [node for node in ray.nodes() if node["Alive"]]
nodes = {node["NodeID"]: node["Resources"] for node in alive}
labels = {node["NodeID"]: node.get("Labels", {}) for node in alive}
groups = [
    {
        "nodes": list(group["bundles_to_node_id"].values()),
        "bundles": list(group["bundles"].values()),
    }
    for group in placement_group_table().values()
    if group["state"] == "CREATED"
]
print(json.dumps({"nodes": nodes, "labels": labels, "groups": groups}))
