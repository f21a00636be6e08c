#!/usr/bin/env bash
# What transformers 5 writes about RoPE is another model to transformers 4, and the override of a year
# ago loses the base under transformers 5.
#
# Versions: transformers 4.55.4 (goes with vLLM 0.10) and 5.24.0 (with vLLM 0.29), Python 3.11.
# One would guess: a config.json that one release saves is read by the other, or refused.
# Seen: 5.24.0 saves the base and the scaling in `rope_parameters` alone. 4.55.4 reads that file without
# a word, with a base of 10,000 in place of 1,000,000 and without the scaling. And where 5.24.0 takes
# `rope_scaling` as an update of a configuration, as vLLM's hf_overrides gives it, it replaces
# `rope_parameters` whole: `rope_theta` is None, and nothing is said until the model is built.
# What it means: a checkpoint that was saved by transformers 5 must not be served by an engine with
# transformers 4 as it is, and an override has to say `rope_theta`, or `rope_parameters`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.55.4 5.24.0; do
    python3 -m venv "$version"
    "$version/bin/pip" install --quiet --disable-pip-version-check "transformers==$version"
done
cat > save.py <<'PYTHON'
from transformers import Qwen2Config

scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
Qwen2Config(rope_theta=1000000.0, rope_scaling=scaling).save_pretrained("saved")
PYTHON
cat > read.py <<'PYTHON'
from transformers import AutoConfig

config = AutoConfig.from_pretrained("saved")
assert config.rope_theta == 10000.0, config.rope_theta
assert config.rope_scaling is None, config.rope_scaling
print("4.55.4 reads base", config.rope_theta, "and scaling", config.rope_scaling)
PYTHON
cat > override.py <<'PYTHON'
from transformers import AutoConfig, Qwen2Config

saved = AutoConfig.from_pretrained("saved").rope_parameters
assert saved["rope_theta"] == 1000000.0 and saved["rope_type"] == "yarn", saved
config = Qwen2Config(rope_theta=1000000.0)
config.update({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}})
assert config.rope_parameters["rope_theta"] is None, config.rope_parameters
print("5.24.0 reads", saved, "and an override of rope_scaling leaves", config.rope_parameters)
PYTHON
export TRANSFORMERS_VERBOSITY=error PYTHONWARNINGS=ignore HF_HUB_OFFLINE=1
5.24.0/bin/python save.py
4.55.4/bin/python read.py
5.24.0/bin/python override.py
echo "as described"
