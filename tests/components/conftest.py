"""Fixtures of the component tests; programs.py lists what mocks do not prove."""

from tests.components.programs import event_loop, plan, record

__all__ = ["event_loop", "plan", "record"]
