"""What a config.json says of models that embed or score instead of generating text.

Encoders of BERT's kind, in which every token attends to all the others, and classes with a
classification head, whatever they stand on.
"""

from typing import Final

from models.architecture.config_fields import Fields

# Encoders that every vLLM release of the table loads with the layers that are described here.
ENCODER_MODEL_TYPES: Final = frozenset({"bert", "roberta", "xlm-roberta"})
# Their classes without a classification head.
ENCODER_SUFFIX: Final = "ForMaskedLM"
CLASSIFICATION_SUFFIX: Final = "ForSequenceClassification"
# RoBERTa counts positions from the one after the padding token's id, and has no more rows in its
# table: RobertaEmbedding in vllm/model_executor/models/roberta.py.
_POSITIONS_AFTER_PADDING: Final = frozenset({"roberta", "xlm-roberta"})
_PADDING_TOKEN: Final = 1  # the default of transformers' RobertaConfig and XLMRobertaConfig
_DEFAULT_LABELS: Final = 2  # the default of transformers' PretrainedConfig


def usable_positions(fields: Fields, model_type: str, positions: int) -> int:
    """The positions of which a prompt can make use."""
    if model_type not in _POSITIONS_AFTER_PADDING:
        return positions
    padding = fields.count("pad_token_id")
    return max(1, positions - (_PADDING_TOKEN if padding is None else padding) - 1)


def number_of_labels(fields: Fields, architecture: str | None) -> int | None:
    """How many labels a classification head has; None without one."""
    if architecture is None or not architecture.endswith(CLASSIFICATION_SUFFIX):
        return None
    if fields.has("id2label"):
        return fields.nested("id2label").size or _DEFAULT_LABELS
    return fields.integer("num_labels", default=_DEFAULT_LABELS)
