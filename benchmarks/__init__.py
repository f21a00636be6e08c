"""Measurements of the project, made on request and never in tests."""
