"""Whether a model fits into the memory of a GPU, and how much of it is left for the KV cache."""
