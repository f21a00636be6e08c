"""Pure writers: from the Plan to Kubernetes objects as plain dicts."""
