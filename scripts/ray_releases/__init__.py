"""Checks a release of Ray with what this program writes for it, without Kubernetes."""
