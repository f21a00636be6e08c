"""Pytest fixtures for tests on the local cluster, and the cluster's interface for tests."""
