"""Fixtures of the component tests; programs.py says what mocks do not prove."""

from tests.components.programs import plan, record

__all__ = ["plan", "record"]
