"""What a class puts on top of a trunk: logits, a few labels, a reward, or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tianji.workload.model import Model

CLASS = re.compile(r"(?P<stem>.+?)(?P<task>For[A-Z][A-Za-z]*|(LMHead|Chat|Omni|Encoder)?Model|ModelWithProjection)")
LOGITS = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel", "ForImageTextToText", "ChatModel", "OmniModel")
DEEP_REWARDS = ("Qwen2",)
"""Families whose reward head has a layer of hidden size before the score (Qwen2.5-Math-RM and -PRM)."""
MOST_LABELS = 10**6


@dataclass(frozen=True, slots=True)
class TaskHead:
    """The head that a class has; ``outputs`` None means one for each word of the vocabulary."""

    name: str
    outputs: int | None = None
    bias: bool = False
    is_deep: bool = False

    def on(self, model: Model) -> Model:
        """Return the model with this head in place of the logits."""
        if self.outputs is None:
            return model
        h = model.hidden_size
        extra = (self.outputs if self.bias else 0) + (h * h + h if self.is_deep else 0)
        return replace(model, outputs=self.outputs, tied_embeddings=False, head_extra=model.head_extra + extra)

    @property
    def remark(self) -> str:
        """What the answer should say of it."""
        if self.outputs is None:
            return ""
        head = f"a head of {self.outputs} outputs" if self.outputs else "no head"
        return f"{self.name}: the trunk with {head} and no logits"


def split_class(name: str) -> tuple[str, str]:
    """Return the stem and the task of a class's name.

    >>> split_class("Qwen3ForSequenceClassification")
    ('Qwen3', 'ForSequenceClassification')
    """
    found = CLASS.fullmatch(name)
    return (found["stem"], found["task"]) if found else (name, "")


def class_words(data: Mapping[str, object]) -> dict[str, object]:
    """Return what families' expressions read of the class of a file: its ``task``, and how many ``labels`` its head has."""
    names = data.get("architectures")
    if not (isinstance(names, list) and names and isinstance(names[0], str)):
        return {}
    return {"architectures__task": split_class(names[0])[1], "architectures__labels": _labels(data)}


def head_of(name: str, data: Mapping[str, object]) -> TaskHead | None:
    """Return the head of a class, or None for a task that is not understood."""
    stem, task = split_class(name)
    labels = _labels(data)
    heads = {
        "Model": TaskHead(name, 0),
        "ForSequenceClassification": TaskHead(name, labels),
        "ForTokenClassification": TaskHead(name, labels, bias=True),
        "ForQuestionAnswering": TaskHead(name, 2, bias=True),
        "ForRewardModel": TaskHead(name, 1, bias=stem in DEEP_REWARDS, is_deep=stem in DEEP_REWARDS),
        "ForProcessRewardModel": TaskHead(name, 2, bias=stem in DEEP_REWARDS, is_deep=stem in DEEP_REWARDS),
        **{task: TaskHead(name) for task in LOGITS},
    }
    return heads.get(task)


def _labels(data: Mapping[str, object]) -> int:
    named, count = data.get("id2label"), data.get("num_labels")
    if isinstance(named, Mapping) and named:
        return len(named)
    return count if isinstance(count, int) and not isinstance(count, bool) and 0 < count < MOST_LABELS else 2
