"""Which command of a script starts a training, of which stack, and what a script does that starts none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tianji.exporters.launch_reader.shell_script import Script

_SIZES = frozenset(
    ("--num-layers", "--hidden-size", "--num-attention-heads", "--seq-length", "--micro-batch-size", "--ffn-hidden-size",
     "--tensor-model-parallel-size", "--pipeline-model-parallel-size", "--global-batch-size", "--train-iters",
     "--data-path", "--bf16", "--context-parallel-size", "--decoder-seq-length", "--encoder-seq-length")
)  # fmt: skip
_MODELS = frozenset(
    {"--model-name-or-path", "--model-name", "--base-model", "--model-id", "--pretrained-model-name-or-path"}
)
OTHER_WORK = (
    (r"convert|ckpt|checkpoint[/_](util|convert)|hf2mcore|mcore2hf|hf_to_|_to_hf|torch_dist", "converts checkpoints"),
    (r"preprocess|prepare|tokeniz|process_data|download|build_data|data_process|split_|clean_|make_", "prepares data"),
    (r"infer|generat|server|serve|deploy|rollout_|chat|web_?ui|vllm|sglang|demo|\bapp\b|client|sampl", "serves or generates"),
    (r"^tasks/|/tasks/|prompt|eval|bench|test_|human_eval|mmlu|grade|metric", "evaluates"),
    (r"merge|export|quant|\bptq\b|prune|distill_export", "changes or exports a model"),
    (r"embed|retriev|index|annotat|filter|report|plot|analy|extract|validate\.", "works on data"),
)  # fmt: skip
"""What a command does whose script has such a name, where it trains nothing."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that starts a training: its stack, and its words behind what names the stack."""

    stack: str
    words: tuple[str, ...]
    before: tuple[str, ...] = ()
    """The words before: the launcher and its options."""


def find_training(script: Script) -> Command | None:
    """Return the command that starts a training, the last of several; None where a script starts none."""
    best: Command | None = None
    most = 0.0
    for words in script.commands:
        command, score = classify(words)
        if command and score >= most:
            best, most = command, score
    return best


def classify(words: Sequence[str]) -> tuple[Command | None, float]:
    """Return the training that a command starts and how surely it does."""
    for i, word in enumerate(words):
        after, before = tuple(words[i + 1 :]), tuple(words[:i])
        following = words[i + 1] if i + 1 < len(words) else ""
        path = word.removesuffix("}")
        if (word == "megatron" and following in ("sft", "pt", "rlhf", "grpo", "dpo")) or "cli/_megatron/" in word:
            start = i + 1 if "cli/" in word else i + 2
            return Command("swift-megatron", tuple(words[start:]), before), 100
        if (word == "swift" and following in ("sft", "pt", "rlhf", "grpo")) or re.search(
            r"swift/cli/(sft|pt|rlhf|grpo)\.py$", word
        ):
            start = i + 1 if "cli/" in word else i + 2
            return Command("swift", tuple(words[start:]), before), 100
        if word.endswith("llamafactory-cli") and following == "train":
            return Command("llama-factory", tuple(words[i + 2 :]), before), 100
        if word == "-m" and re.match(r"verl\.(trainer|experimental|recipe)|recipe\.", following):
            return Command("verl", tuple(words[i + 2 :]), before), 100
        if (
            (word == "-m" and following == "torchtitan.train")
            or "--job.config_file" in word
            or "--job.config-file" in word
        ):
            start = i + 2 if word == "-m" else i
            return Command("torchtitan", tuple(words[start:]), before), 100
        if path.rpartition("/")[2] in ("primus-cli", "primus_cli") and "pretrain" in after:
            return Command("megatron", after[after.index("pretrain") + 1 :], before), 100
        if path.endswith("train_fsdp2.py"):
            return Command("mindspeed-fsdp2", after, before), 100
        if re.search(r"(^|/)train(_async)?\.py$", path) and any(w.startswith("--actor-num") for w in after):
            return Command("slime", after, before), 100
        if re.search(r"src/train(_bash)?\.py$", path) and (
            any(w.endswith((".yaml", ".yml", ".json")) for w in after[:1])
            or any(w.startswith("--model_name_or_path") for w in after)
        ):
            return Command("llama-factory", after, before), 90
        if re.search(r"run_recipe\.py$|run_script\.py$|setup_experiment\.py$", path):
            return Command("bridge", after, before), 90
        if path.endswith("run_mindformer.py"):
            return Command("mindformers", after, before), 90
    if trainer := _find_trainer(words):
        return trainer, 80
    return _classify_options(words)


def _find_trainer(words: Sequence[str]) -> Command | None:
    """Return a program that takes the arguments of Hugging Face's Trainer."""
    flags = {"--" + w[2:].partition("=")[0].replace("_", "-") for w in words if w.startswith("--")}
    if "--per-device-train-batch-size" not in flags or not flags & _MODELS:
        return None
    before = words_before(words)
    return Command("trainer", tuple(words[len(before) :]), tuple(before)) if len(before) < len(words) else None


def _classify_options(words: Sequence[str]) -> tuple[Command | None, float]:
    flags = {"--" + w[2:].partition("=")[0].replace("_", "-") for w in words if w.startswith("--")}
    score = len(flags & _SIZES)
    name = main_script(words)
    if not score or (name and does_other_work(name)):
        return None, 0
    if not name and score < 3 and not {"--num-layers", "--hidden-size"} <= flags:
        return None, 0
    return Command("megatron", tuple(words)), score


def main_script(words: Sequence[str]) -> str:
    """Return the program that a command runs: the first word that names a Python file or module."""
    for i, word in enumerate(words):
        if word.endswith(".py"):
            return word
        if word == "-m" and i + 1 < len(words) and not words[i + 1].startswith("torch.distributed"):
            return words[i + 1]
    return ""


def words_before(words: Sequence[str]) -> Sequence[str]:
    """Return the words of a command before its program: its launcher with options."""
    program = main_script(words)
    return words[: words.index(program)] if program else words


def does_other_work(name: str) -> str:
    """Return what a script of this name does, empty where it trains or where nothing tells.

    >>> does_other_work("tools/checkpoint/convert.py"), does_other_work("pretrain_gpt.py")
    ('converts checkpoints', '')
    """
    base = name.rsplit("/", 1)[-1].lower()
    if re.search(r"^(pre|post)?_?train|pretrain|finetun|posttrain|rlhf|sft", base) and not base.startswith(
        "preprocess"
    ):
        return ""
    return next(
        (what for pattern, what in OTHER_WORK if re.search(pattern, base) or re.search(pattern, name.lower())), ""
    )


def describe_other(script: Script) -> str:
    """Return what a script does that starts no training, empty where nothing tells."""
    for words in reversed(script.commands):
        for i, word in enumerate(words):
            following = words[i + 1] if i + 1 < len(words) else ""
            if word in ("swift", "megatron", "llamafactory-cli", "vllm") and following in _VERBS:
                return f"{_VERBS[following]} ({word} {following})"
        name = main_script(words)
        if name and (what := does_other_work(name)):
            return f"{what} ({name})"
    return ""


SERVES = OTHER_WORK[2][1]
_VERBS = {
    **dict.fromkeys(("infer", "deploy", "app", "web-ui", "serve", "api", "chat", "webchat", "sample", "rollout"), SERVES),
    **dict.fromkeys(("export", "merge-lora"), OTHER_WORK[4][1]), "eval": OTHER_WORK[3][1],
}  # fmt: skip
"""What a verb of these programs does that trains nothing."""
