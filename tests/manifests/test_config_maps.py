"""ConfigMaps: one per family, one key per model, with the LLM configs of the RayService."""

import re

import yaml
from hypothesis import given
from hypothesis import strategies as st

from manifests import service_manifests
from manifests.config_maps import config_map_name, family_id
from tests.manifests.plans import model, plan, t4_model, tensor_parallel_model
from tests.manifests.written import config_maps, served_llm_configs

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def test_one_object_a_family_and_one_key_a_model() -> None:
    maps = config_maps(plan((t4_model(), tensor_parallel_model(), model())))
    assert {item["metadata"]["name"]: list(item["data"]) for item in maps} == {
        "llm-configs-qwen2.5": ["qwen2.5-0.5b-instruct.yaml", "qwen2.5-7b-instruct.yaml"],
        "llm-configs-llama-3.3": ["llama-70b.yaml"],
    }
    assert maps[0]["metadata"]["labels"]["ray-llm/model-family"] == "qwen2.5"


def test_they_hold_what_the_serve_config_holds() -> None:
    made = plan()
    mapped = {
        key.removesuffix(".yaml"): yaml.safe_load(text)
        for item in config_maps(made)
        for key, text in item["data"].items()
    }
    assert mapped == served_llm_configs(made)


def test_an_edited_model_changes_only_its_own_key() -> None:
    before = config_maps(plan())
    after = config_maps(plan((t4_model(), model(max_model_len=1024), tensor_parallel_model())))
    assert after[1] == before[1]
    changed = [key for key in before[0]["data"] if after[0]["data"][key] != before[0]["data"][key]]
    assert changed == ["qwen2.5-7b-instruct.yaml"]


@given(st.text(min_size=1, max_size=200))
def test_every_family_gets_a_valid_name_and_label(family: str) -> None:
    assert SUBDOMAIN.fullmatch(config_map_name(family))
    assert len(family_id(family)) <= 63
    assert LABEL.fullmatch(family_id(family))


@given(st.lists(st.text("aA.-_ 1", min_size=1, max_size=6), min_size=2, unique=True))
def test_two_families_never_share_a_name(families: list[str]) -> None:
    assert len({config_map_name(family) for family in families}) == len(families)


def test_the_token_is_in_no_manifest_but_the_secret_has_its_place() -> None:
    made = service_manifests(plan())
    secret = made.hugging_face_secret
    assert made.token_key == "token"
    assert "stringData" not in secret
    assert "data" not in secret
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == (
        "huggingface-secret",
        "ai",
    )
    assert "HF_TOKEN" not in str(made.config_maps)


def test_the_namespace_is_the_plans() -> None:
    assert service_manifests(plan()).namespace["metadata"]["name"] == "ai"
