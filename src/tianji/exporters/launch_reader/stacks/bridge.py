"""Megatron Bridge and NeMo: recipes by their names, with what the command line changes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from tianji.errors import UnknownNameError
from tianji.exporters.launch_reader.named_models import find_named_model
from tianji.exporters.launch_reader.options import Options, settle_switches

OVERRIDES = {
    "model.": "",
    "train.": "",
    "dataset.": "",
    "ddp.": "",
    "optimizer.": "",
    "mixed_precision.": "",
    "tokenizer.": "",
}
"""Sections of a recipe, of which each field is an option of Megatron's."""
RENAMED = {
    "--virtual-pipeline-model-parallel-size": "--num-virtual-stages-per-pipeline-rank", "--sequence-length": "--seq-length",
}  # fmt: skip
SHORT = {
    "-tp": "--tensor-model-parallel-size", "-pp": "--pipeline-model-parallel-size", "-cp": "--context-parallel-size",
    "-vp": "--num-virtual-stages-per-pipeline-rank", "-ep": "--expert-model-parallel-size",
    "-et": "--expert-tensor-parallel-size", "-mb": "--micro-batch-size", "-gb": "--global-batch-size",
}  # fmt: skip


@cache
def load_recipes() -> dict[str, dict[str, Any]]:
    """Return the recipes by name, each with its model, its options and the number of chips that it is for."""
    text = (files("tianji.exporters.launch_reader") / "data" / "bridge_recipes.toml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = tomllib.loads(text)
    return table


def find_recipe(name: str) -> str | None:
    """Return the name of a recipe as the table has it; None for one that is not known."""
    plain, recipes = name.removeprefix("llm.").split("(")[0], load_recipes()
    return next((k for k in (plain, f"{plain}_config", f"{plain}_pretrain_config") if k in recipes), None)


def read_recipe(name: str, words: Sequence[str], settings: Mapping[str, str], where: str) -> Options:
    """Return the options of a recipe, changed by overrides (``train.global_batch_size=512``) and by ``--set``.

    Raises UnknownNameError for a recipe that is not known.
    """
    recipes = load_recipes()
    key = find_recipe(name)
    if key is None:
        raise UnknownNameError("recipe of Megatron Bridge", name, recipes)
    recipe = dict(recipes[key])
    model, chips = str(recipe.pop("model")), int(recipe.pop("chips", 0))
    values: dict[str, list[str]] = {"--bf16": [], "--use-distributed-optimizer": [], "--attention-backend": ["flash"]}
    for field, value in recipe.items():
        if value is True:
            values[f"--{field.replace('_', '-')}"] = []
        elif value is not False:
            values[f"--{field.replace('_', '-')}"] = [str(value)]
    changes: dict[str, list[str]] = {}
    for text in (*words, *(f"{k}={v}" for k, v in settings.items())):
        field, equals, value = text.partition("=")
        section = next((s for s in OVERRIDES if field.startswith(s)), None)
        if equals and section and re.fullmatch(r"[\w.]+", field):
            changes["--" + field[len(section) :].replace("_", "-")] = [value]
    changes |= {SHORT[flag]: [value] for flag, value in zip(words, [*words[1:], ""], strict=False) if flag in SHORT}
    changes = {RENAMED.get(k, k): v for k, v in changes.items()}
    values = {RENAMED.get(k, k): v for k, v in values.items() if RENAMED.get(k, k) not in changes}
    values |= settle_switches(changes)
    options = Options(where, values, stack="bridge")
    entry = find_named_model(settings.get("model", model))
    if entry is None:
        raise UnknownNameError("model of a recipe", model, ())
    options.model = entry[0]
    if chips:
        options.values.setdefault("--worker-num", [str(chips)])
    return options
