"""The `gcp` stand-in: a small model of Google Kubernetes Engine."""
