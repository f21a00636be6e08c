"""Scripts that run inside the cluster, each a single file without a package around it."""
