"""A real vLLM in the pods of the local cluster, in place of the stand-in engine.

`environment.py` installs it, with stubs for CUDA's libraries (`stub_libraries.py`) and a tiny model
with known answers (`tiny_model.py`). `hub.py` is a Hugging Face hub on 127.0.0.1 that has this
model under every name. `plugin/` lets vLLM's CPU backend take what Ray counts as GPUs.
"""
