"""Figures of the project, measured on request and never in timed tests."""
