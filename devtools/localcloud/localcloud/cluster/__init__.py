"""A real Kubernetes cluster on this machine, with KubeRay and Ray Serve in it."""
