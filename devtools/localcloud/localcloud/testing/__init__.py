"""For tests on the local cluster: pytest's fixtures, and a cluster as a test sees it."""
