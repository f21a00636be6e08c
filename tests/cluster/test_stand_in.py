"""The stand-in engine answers and refuses as the real one was seen to (tests/real_engine)."""

import pytest

from tests.cluster.releases import release
from tests.cluster.service import Service
from tests.cluster.stacks import STEADY
from tests.real_engine.answers import answer, recorded, requests, shape
from tests.real_engine.stacks import RAY

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("request_", requests(), ids=lambda each: str(each["name"]))
def test_it_answers_as_the_real_engine(
    deployed_service: Service, request_: dict[str, object]
) -> None:
    """Errors word by word; good answers with the same keys and types, since it says other words."""
    if release().ray != RAY:
        pytest.skip(f"recorded with Ray {RAY}")
    real = recorded("answers")[request_["name"]]
    found = answer(deployed_service.cluster, STEADY["name"], request_)
    assert found["status"] == real["status"], found
    if real["status"] != 200:
        assert found == real
    elif "events" in real:
        assert {str(shape(event)) for event in found["events"]} == {
            str(shape(event)) for event in real["events"]
        }
    else:
        assert shape(found["body"]) == shape(real["body"])
