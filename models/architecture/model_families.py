"""What a config.json leaves unsaid: which fields are its class's, which types are decoders."""

from collections.abc import Mapping
from typing import Final

# Class names that generate text, as in vLLM's model registry.
GENERATION_SUFFIXES = (
    "ForCausalLM",
    "ForConditionalGeneration",
    "LMHeadModel",
    "ForVision2Seq",
    "ForImageTextToText",
    "ChatGLMModel",
    "ChatModel",
    "MiniCPMV",
    "MiniCPMO",
    "NVLM_D",
)

# A decoder without a head, which embeds: MistralModel, Qwen2Model.
EMBEDDING_SUFFIX = "Model"

NOT_DECODERS = frozenset(
    """
    albert align altclip aria_vision audio-spectrogram-transformer bart beit bert-generation
    big_bird bigbird_pegasus blenderbot blip blip-2 bridgetower camembert canine chinese_clip clap
    clip clip_text_model clip_vision_model clipseg convbert convnext convnextv2 cvt data2vec-audio
    data2vec-text deberta deberta-v2 deit depth_anything detr dinov2 dinov3_vit distilbert dpr
    electra encoder-decoder encodec ernie esm flaubert flava fnet fsmt gte-new hubert ibert
    jina_bert layoutlm layoutlmv2 layoutlmv3 led lilt longformer longt5 luke lxmert m2m_100 marian
    mbart megatron-bert mobilebert mobilenet_v2 mobilevit modernbert mpnet mra mt5 musicgen mvp
    nllb-moe nomic_bert nystromformer owlv2 owlvit parakeet pegasus pegasus_x perceiver
    plbart pop2piano prophetnet rembert resnet roberta-prelayernorm roc_bert roformer sam
    sam2 seamless_m4t segformer sew siglip siglip2 siglip_text_model siglip_vision_model
    speech-encoder-decoder speech_to_text speecht5 splinter squeezebert swin swinv2
    switch_transformers t5 t5gemma table-transformer tapas timesformer timm_wrapper trocr umt5
    unispeech videomae vilt vision-encoder-decoder visual_bert vit vit_mae vit_msn vits
    wav2vec2 wav2vec2-bert wavlm whisper xlm xlm-roberta-xl xmod yolos
    """.split()  # noqa: SIM905 - words read better than a wall of quotes
)

# All layers keep a state and none a cache, or states of a kind that is not described.
STATE_ONLY = frozenset(
    """
    falcon_mamba mamba mamba2 plamo2 recurrent_gemma rwkv zamba
    """.split()  # noqa: SIM905 - words read better than a wall of quotes
)

TIED_BY_DEFAULT = frozenset(
    """
    bloom cohere cohere2 falcon RefinedWeb RefinedWebModel gemma gemma2 gemma3_text gemma3n_text
    gpt2 gpt_bigcode mpt opt starcoder2
    """.split()  # noqa: SIM905 - words read better than a wall of quotes
)

_GEMMA_2: Final = (
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
    "sliding_window",
)
# Fields that a flat config.json of a family, too, leaves to its class, or names as null.
LEFT_TO_CLASS: Final[Mapping[str, tuple[str, ...]]] = {
    "falcon": ("max_position_embeddings",),
    "gemma": ("head_dim", "vocab_size", "max_position_embeddings"),
    "gemma2": _GEMMA_2,
    "gemma3_text": _GEMMA_2,
    "gemma3n_text": (*_GEMMA_2, "num_kv_shared_layers"),
    "gpt_oss": ("num_key_value_heads", "head_dim", "sliding_window", "max_position_embeddings"),
    "llama": ("max_position_embeddings",),
    "mistral": ("num_key_value_heads", "vocab_size", "max_position_embeddings"),
    "mixtral": ("num_key_value_heads", "vocab_size", "num_local_experts"),
}
# Names under which older files of a family have their type; transformers knows them no more.
OLDER_TYPES: Final[Mapping[str, str]] = {"RefinedWeb": "falcon", "RefinedWebModel": "falcon"}
