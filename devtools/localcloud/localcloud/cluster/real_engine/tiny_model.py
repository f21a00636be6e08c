"""`python tiny_model.py ENVIRONMENT`: a model of less than 1 MB whose answers are known.

It has every file of a real one and the layers of Qwen2, but attention and feed-forward add nothing,
so the last token alone decides the next one. The output layer is written so that

- after a prompt it says `ANSWER`, one token a word, and stops;
- after a chat prompt with tools it calls the first function of `TOOL_CALL` in the form of Hermes;
- all other tokens are equally unlikely, and a grammar (`response_format`) may choose any of them.
"""

import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

ANSWER = ("Hello", " from", " a", " tiny", " model.")
TOOL_CALL = (
    "<tool_call>",
    '\n{"name": "get_weather", "arguments": ',
    '{"city": "Paris"}',
    "}\n",
    "</tool_call>",
)
END, PADDING, ASSISTANT, WITH_TOOLS = "<|im_end|>", "<|endoftext|>", "<|assistant|>", "<|tools|>"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "<|im_start|>{{ message.role }}\n{{ message.content or '' }}<|im_end|>\n"
    "{%- endfor -%}"
    "{%- if tools -%}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{%- endif -%}"
    "{%- if add_generation_prompt -%}{{ '<|tools|>' if tools else '<|assistant|>' }}{%- endif -%}"
)
# Most models have less. The table of rotary embeddings takes 128 bytes a token.
CONTEXT = 262_144
HIDDEN, LAYERS, HEADS, KV_HEADS, FEED_FORWARD = 128, 2, 4, 2, 256
# Far above the other logits, which are noise around 0: the answer is sure at any usual temperature.
CERTAIN = 30.0
# The axis of the embedding that tells tokens of a prompt from those of an answer.
PROMPT_AXIS = 0


def make_tokenizer() -> Tokenizer:
    """Bytes and a few merges, so that it reads every text; the known answers are whole tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[PADDING, "<|im_start|>", END, ASSISTANT, WITH_TOOLS],
        show_progress=False,
    )
    made.train_from_iterator(["What is the weather in the city today? Say hello."] * 3, trainer)
    made.add_tokens([AddedToken(text, normalized=False) for text in (*ANSWER, *TOOL_CALL)])
    return made


def make_weights(tokenizer: Tokenizer, vocabulary: int) -> dict[str, torch.Tensor]:
    """All tensors by their names in a checkpoint."""
    torch.manual_seed(16)
    chains = [[tokenizer.token_to_id(t) for t in chain] for chain in _chains()]
    answering = {token for chain in chains for token in chain[:-1]}
    embedding = torch.nn.functional.normalize(torch.randn(vocabulary, HIDDEN), dim=1)
    embedding[:, PROMPT_AXIS] = torch.tensor([float(t not in answering) for t in range(vocabulary)])
    # The last layer's norm makes each of this length.
    embedding = torch.nn.functional.normalize(embedding, dim=1) * HIDDEN**0.5
    output = torch.randn(vocabulary, HIDDEN) * 0.02
    for chain in chains:
        for token, following in pairwise(chain):
            output[following] += embedding[token] * CERTAIN / HIDDEN
    # Of an embedding's square length, half lies on this axis.
    output[tokenizer.token_to_id(ANSWER[0]), PROMPT_AXIS] += CERTAIN / (HIDDEN / 2) ** 0.5
    weights = {
        "model.embed_tokens.weight": embedding,
        "lm_head.weight": output,
        "model.norm.weight": torch.ones(HIDDEN),
    }
    for layer in range(LAYERS):
        weights |= {f"model.layers.{layer}.{name}": value for name, value in _layer().items()}
    return {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items()}


def _chains() -> Sequence[Sequence[str]]:
    return (ASSISTANT, *ANSWER, END), (WITH_TOOLS, *TOOL_CALL, END)


def _layer() -> dict[str, torch.Tensor]:
    """One layer, whose two outputs are zero."""
    key_value = HIDDEN // HEADS * KV_HEADS
    layer = {
        "input_layernorm.weight": torch.ones(HIDDEN),
        "post_attention_layernorm.weight": torch.ones(HIDDEN),
        "self_attn.o_proj.weight": torch.zeros(HIDDEN, HIDDEN),
        "mlp.gate_proj.weight": torch.randn(FEED_FORWARD, HIDDEN) * 0.02,
        "mlp.up_proj.weight": torch.randn(FEED_FORWARD, HIDDEN) * 0.02,
        "mlp.down_proj.weight": torch.zeros(HIDDEN, FEED_FORWARD),
    }
    for name, size in (("q", HIDDEN), ("k", key_value), ("v", key_value)):
        layer[f"self_attn.{name}_proj.weight"] = torch.randn(size, HIDDEN) * 0.02
        layer[f"self_attn.{name}_proj.bias"] = torch.zeros(size)
    return layer


def configurations(tokenizer: Tokenizer, vocabulary: int) -> dict[str, dict[str, Any]]:
    """The JSON files beside weights and tokenizer, by name."""
    end, padding = tokenizer.token_to_id(END), tokenizer.token_to_id(PADDING)
    return {
        "config.json": {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "vocab_size": vocabulary,
            "hidden_size": HIDDEN,
            "intermediate_size": FEED_FORWARD,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": KV_HEADS,
            "max_position_embeddings": CONTEXT,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-6,
            "rope_theta": 1_000_000.0,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
            "bos_token_id": padding,
            "eos_token_id": end,
        },
        "generation_config.json": {
            "bos_token_id": padding,
            "eos_token_id": [end, padding],
            "do_sample": True,
            "temperature": 0.7,
            "top_p": 0.8,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": END,
            "pad_token": PADDING,
            "model_max_length": CONTEXT,
            "chat_template": CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": False,
        },
    }


def write(folder: Path) -> None:
    """Write the model's files."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = -(-tokenizer.get_vocab_size() // 64) * 64
    save_file(make_weights(tokenizer, vocabulary), folder / "model.safetensors", {"format": "pt"})
    for name, content in configurations(tokenizer, vocabulary).items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) / "tiny-model")
