"""Which reader takes a command, a configuration or a name: one line for each stack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from tianji.errors import FormatError
from tianji.exporters.formats.kinds import TITLES, find_kind
from tianji.exporters.launch_reader.commands import Command
from tianji.exporters.launch_reader.counts import count_chips
from tianji.exporters.launch_reader.files_beside import load_body, make_reader, read_beside, take_in
from tianji.exporters.launch_reader.options import Options, group_options
from tianji.exporters.launch_reader.read_keys import Settled
from tianji.exporters.launch_reader.shell_script import Script
from tianji.exporters.launch_reader.shell_sources import find_source
from tianji.exporters.launch_reader.stacks import bridge, hugging_face, mindformers, options_of, torchtitan, trainers
from tianji.exporters.launch_reader.stacks.primus import (
    fill_primus,
    find_primus_model,
    merge,
    read_primus_bridge,
    read_primus_command,
)
from tianji.exporters.launch_reader.stacks.roll import read_roll
from tianji.exporters.launch_reader.stacks.sharding_files import ReadFile, apply_deepspeed, apply_fsdp
from tianji.exporters.launch_reader.stacks.trainer_settings import TrainerSettings, whole
from tianji.exporters.rules.tables import flatten_values
from tianji.input_files import read_text
from tianji.parallel.strategy import Strategy
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class SettledLaunch:
    """A launch whose stack has no options of Megatron: its job and strategy at once."""

    job: Job
    strategy: Strategy
    stack: str
    framework: str
    assumed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """Keys of which nothing is known."""
    node: int = 0
    rules: str = ""
    """The table of the framework's rules, empty where there is none."""
    stated: Mapping[str, Any] = field(default_factory=dict)
    """What the launch states, under the names of the rules."""


Reading: TypeAlias = Options | SettledLaunch


def read_command(command: Command, script: Script, file: Path, chips: int, settings: Mapping[str, str]) -> Reading:
    """Return what a command of a script starts.

    Raises FormatError for a command that is not whole, and for a configuration that is not beside the script.
    """
    where, stack = str(file), command.stack
    readers = {
        "megatron": options_of.read_megatron, "swift-megatron": options_of.read_swift, "slime": options_of.read_slime,
        "verl": options_of.read_verl,
    }  # fmt: skip
    if stack in ("swift", "swift-megatron"):
        command = _with_configuration(command, file, where)
    if stack == "verl" and not options_of.trains_by_megatron(command.words):
        keys = dict(options_of.read_overrides(command.words))
        return _settle(trainers.read_verl_fsdp(keys, where, chips), chips)
    if stack in readers:
        primus = read_primus_command(command, script, file, settings) if stack == "megatron" else None
        options = primus or readers[stack](command, script, where)
        options.contested = frozenset(script.contested)
        return options
    launcher = Options(where, options_of.start_options(command, script) | group_options(command.words), stack=stack)
    if stack == "bridge":
        return _read_bridge(command, launcher, settings, where)
    if stack == "torchtitan":
        return _read_torchtitan(command, launcher, file, chips, settings, script)
    if stack == "mindformers":
        name = (launcher.texts("--config") or [""])[0]
        return read_configuration(read_beside(name, file, where), find_source(name, file) or file, chips, settings, ())
    number = count_chips(launcher, chips or None)[1] if chips or _says_chips(launcher) else 0
    if stack == "trainer":
        started = group_options(command.before) | launcher.values
        values = group_options(command.words) | {f"--{k}": [v] for k, v in _renamed(settings).items()}
        return _settle(trainers.read_trainer(values, started, where, number, make_reader(file, script)), number)
    if stack == "swift":
        values = group_options(command.words)
        if "model" in settings:
            values["--model"] = [settings["model"]]
        if launcher.texts("--config-file") and "--deepspeed" not in values and "--fsdp" not in values:
            values["--fsdp"] = launcher.texts("--config-file")
        return _settle(hugging_face.read_swift_options(values, where, number, make_reader(file, script)), number)
    name = next((w for w in command.words[:2] if w.endswith((".yaml", ".yml", ".json"))), "")
    changes = _dotted(command.words[1:])
    body = {**take_in(name, file, where, script)} if name else {}
    if stack == "mindspeed-fsdp2":
        return _settle(hugging_face.read_mindspeed_fsdp2(torchtitan.lay_over(body, changes), where, number), number)
    body |= _renamed({k: v for k, v in settings.items() if k in ("model", "seq")})
    return _settle(hugging_face.read_llama_factory(body | changes, where, number, make_reader(file, script)), number)


def read_configuration(
    text: str, file: Path, chips: int, settings: Mapping[str, str], arguments: Sequence[str]
) -> Reading:
    """Return what a configuration starts, by the project that its keys are of.

    Raises FormatError for a project that is not known, and for a configuration that lacks what a plan needs.
    """
    where = str(file)
    body = load_body(text, file)
    if file.suffix == ".toml":
        if not torchtitan.TABLES & set(body):
            raise FormatError(
                f"{where}: no configuration of a training that is known; of TOML files torchtitan's are read"
            )
        changes = _dotted(arguments) | {k: v for k, v in settings.items() if k != "model"}
        tree = torchtitan.lay_over(body, changes) | ({"named": settings["model"]} if "model" in settings else {})
        return _settle_torchtitan(tree, where, chips)
    kind = find_kind(body)
    if kind == "modelzoo":
        if body.get("MODE") == "inference":
            raise FormatError(
                f"{where}: no training: it serves or generates (MODE: inference); expected one that trains"
            )
        return options_of.read_modelzoo(body, settings, where)
    if kind == "primus":
        return _read_primus(body, file, chips, settings)
    if kind == "roll":
        roll = read_roll(body, settings, where, chips)
        return roll if isinstance(roll, Options) else _settle(roll, chips)
    body = {**body, **_dotted(arguments)}
    if kind == "mindspeed-fsdp2":
        return _settle(hugging_face.read_mindspeed_fsdp2(torchtitan.lay_over(body, settings), where, chips), chips)
    if kind == "mindformers":
        return _settle_parts(
            mindformers.read_mindformers(torchtitan.lay_over(body, settings), where, chips), "mindformers"
        )
    body = body | _renamed(settings)
    if kind == "llama-factory" and "tensor_model_parallel_size" in body:
        return _read_mca(body, where)
    if kind == "llama-factory":
        trainer = hugging_face.read_llama_factory(body, where, chips, make_reader(file))
        _take_comments(trainer, body, text, make_reader(file))
        return _settle(trainer, chips)
    if kind == "llama-factory-v1":
        return _settle(hugging_face.read_llama_factory_v1(body, where, chips, make_reader(file)), chips)
    if kind == "swift":
        body, chips = _open_train(body, chips)
        values = {f"--{k.replace('_', '-')}": _texts(v) for k, v in body.items() if not isinstance(v, Mapping)}
        if "--tensor-model-parallel-size" in values or "--micro-batch-size" in values:
            return options_of.make_swift(values, where)
        return _settle(hugging_face.read_swift_options(values, where, chips, make_reader(file)), chips)
    if kind in ("deepspeed", "accelerate", "hf-fsdp"):
        bare = {k: v for k, v in body.items() if k not in _renamed(settings)}
        return _settle(_bare_trainer(kind, bare, settings, where, chips), chips)
    known = ", ".join(TITLES[k] for k in TITLES if k != "mindspeed-rl")
    raise FormatError(
        f"{where}: no configuration of a training that is known; read are those of {known} and torchtitan"
    )


def read_torchtitan_file(path: str) -> dict[str, Any]:
    """Return the sections of torchtitan's TOML.

    Raises FormatError for a file that is none.
    """
    body = load_body(read_text(path, "a configuration"), Path(path))
    if not torchtitan.TABLES & set(body):
        raise FormatError(f"{path}: no configuration of a training that is known; of TOML files torchtitan's are read")
    return body


def read_named(name: str, chips: int, settings: Mapping[str, str], arguments: Sequence[str]) -> Reading | None:
    """Return what a name of a recipe starts: torchtitan's registry or Megatron Bridge; None for another text."""
    if not name.replace("_", "").replace(".", "").replace("-", "").isalnum() or "." in name[-6:]:
        return None
    if name in torchtitan.load_registry():
        tree = torchtitan.read_registry(name, _dotted(arguments) | dict(settings))
        return _settle_torchtitan(tree, name, chips)
    if bridge.find_recipe(name):
        return bridge.read_recipe(name, arguments, settings, name)
    return None


def _with_configuration(command: Command, file: Path, where: str) -> Command:
    """Return a command of ms-swift with what its ``--config FILE.yaml`` says before its own words."""
    name = (group_options(command.words).get("--config") or [""])[0] or next(
        (w for w in command.words[:1] if w.endswith((".yaml", ".yml"))), ""
    )
    if not name:
        return command
    body = take_in(name, file, where)
    plain = [(k, v) for k, v in body.items() if not isinstance(v, Mapping) and v is not None]
    words = [word for key, value in plain for word in (f"--{key}", *_texts(value))]
    own = [w for w in command.words if w.startswith("--") or w not in (name,)]
    return Command(command.stack, (*words, *own), command.before)


def _texts(value: Any) -> list[str]:
    """Return a value of a configuration as the words of a command line."""
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


# --- parts --------------------------------------------------------------------------------------------------------
def _settle(trainer: TrainerSettings, chips: int) -> SettledLaunch:
    trainer.chips = chips or trainer.chips
    job, strategy = trainer.job(), trainer.strategy()
    framework = "mindspeed" if trainer.stack == "mindspeed-fsdp2" else "megatron"
    rules = "deepspeed" if trainer.is_deepspeed else ""
    assumed, left_out = tuple(trainer.assumed), tuple(trainer.left_out)
    ignored = tuple(dict.fromkeys(trainer.ignored))
    return SettledLaunch(job, strategy, trainer.stack, framework, assumed, left_out, ignored, 0, rules, trainer.stated)


def _settle_parts(parts: Settled, stack: str) -> SettledLaunch:
    job, strategy, assumed, left_out, ignored = parts
    framework = "mindspeed" if stack == "mindformers" else "megatron"
    return SettledLaunch(job, strategy, stack, framework, tuple(assumed), tuple(left_out), tuple(ignored))


def _settle_torchtitan(tree: Mapping[str, Any], where: str, chips: int) -> SettledLaunch:
    settled = _settle_parts(torchtitan.read_torchtitan(tree, where, chips), "torchtitan")
    return replace(settled, rules="torchtitan", stated=flatten_values(tree))


def _bare_trainer(
    kind: str, body: Mapping[str, Any], settings: Mapping[str, str], where: str, chips: int
) -> TrainerSettings:
    """Return the training of a file that names neither model nor lengths: ``--set`` gives them."""
    trainer = TrainerSettings(where, kind, settings.get("model", ""), chips=chips)
    trainer.seq_len = whole(settings.get("seq", settings.get("cutoff_len", "")))
    trainer.micro_batch = whole(settings.get("micro_batch_size", ""), 1)
    trainer.accumulation = whole(settings.get("gradient_accumulation_steps", ""), 1)
    if kind == "deepspeed":
        apply_deepspeed(trainer, body)
    else:
        apply_fsdp(trainer, body)
        if isinstance(body.get("deepspeed_config"), Mapping):
            part = body["deepspeed_config"]
            trainer.zero = whole(part.get("zero_stage"), trainer.zero)
            trainer.offload = float(str(part.get("offload_optimizer_device", "none")) not in ("none", "None"))
    trainer.batch = whole(settings.get("batch", ""), trainer.batch)
    trainer.recompute = settings.get("recompute", trainer.recompute)
    return trainer


def _open_train(body: Mapping[str, Any], chips: int) -> tuple[dict[str, Any], int]:
    """Return a configuration of ms-swift under Ray with its section of the training at the top, and that section's chips."""
    train = body.get("train")
    if not isinstance(train, Mapping):
        return dict(body), chips
    gpus = whole(train.get("gpus"))
    return {**body, **train} | ({"worker_num": gpus} if gpus else {}), chips or gpus


def _take_comments(trainer: TrainerSettings, body: Mapping[str, Any], text: str, read_file: ReadFile) -> None:
    """Take accelerate's file into a training whose comments say how it is launched, and that shards nothing by itself."""
    if body.get("deepspeed") or body.get("fsdp"):
        return
    named = re.search(r"^\s*#.*--config_file[ =](\S{1,200}\.ya?ml)", text, re.MULTILINE)
    if named and read_file(named[1]) is not None:
        trainers.take_starter(trainer, {"--config-file": [named[1]]}, read_file)
        trainer.assumed.append(f"launched with {named[1]}, as its comment says")
    else:
        trainer.assumed.append("it names neither DeepSpeed nor FSDP: every chip holds the whole model")


def _renamed(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings under the names that the files have."""
    names = {"model": "model_name_or_path", "seq": "cutoff_len"}
    return {names.get(k, k): v for k, v in settings.items()}


def _read_mca(body: Mapping[str, Any], where: str) -> Options:
    """Return the options of LLaMA-Factory's Megatron part, which names them as Megatron does."""
    values = {f"--{k.replace('_', '-')}": [str(v)] for k, v in body.items() if not isinstance(v, Mapping | list)}
    values["--model"] = [str(body.get("model_name_or_path", ""))]
    values["--max-length"] = [str(body.get("cutoff_len", 2048))]
    values["--micro-batch-size"] = [str(body.get("per_device_train_batch_size", 1))]
    values["--tuner-type"] = [str(body.get("finetuning_type", "full"))]
    if values.get("--recompute-granularity") == ["full"]:
        values.setdefault("--recompute-method", ["uniform"])
    values.pop("--global-batch-size", None)
    options = options_of.make_swift(values, where)
    del options.values["--global-batch-size"]
    options.stack = "llama-factory"
    options.accumulation = whole(body.get("gradient_accumulation_steps"), 1)
    return options


def _read_primus(body: dict[str, Any], file: Path, chips: int, settings: Mapping[str, str]) -> Reading:
    """Return what a YAML of Primus starts: by Megatron, by torchtitan, or by a recipe of Megatron Bridge."""
    where, framework = str(file), options_of.primus_framework(body)
    base = find_primus_model(body, file, settings)
    if framework == "torchtitan":
        tree = fill_primus(merge(base, options_of.primus_changes(body)), settings)
        return replace(_settle_torchtitan(tree, where, chips), stack="primus")
    if framework == "megatron_bridge":
        return read_primus_bridge(base | dict(options_of.primus_changes(body)), settings, where)
    return options_of.read_primus(body, base, settings, where)


def _read_bridge(command: Command, launcher: Options, settings: Mapping[str, str], where: str) -> Options:
    name = (launcher.texts("--recipe") or launcher.texts("--recipe-name") or [""])[0]
    if not name:
        family = (launcher.texts("-m") or launcher.texts("--model-recipe-name") or launcher.texts("--model") or [""])[0]
        name = f"{family}_pretrain_config" if family else ""
    if not name:
        raise FormatError(f"{where}: the command of Megatron Bridge names no recipe (--recipe NAME)")
    options = bridge.read_recipe(name, command.words, settings, where)
    options.values = launcher.values | options.values
    return options


def _read_torchtitan(
    command: Command, launcher: Options, file: Path, chips: int, settings: Mapping[str, str], script: Script
) -> SettledLaunch:
    where = str(file)
    changes = _dotted(command.words) | {k: v for k, v in settings.items() if "." in k}
    number = count_chips(launcher, chips or None)[1] if chips or _says_chips(launcher) else 0
    toml = changes.pop("job.config_file", "")
    if toml:
        tree = torchtitan.lay_over(take_in(toml, file, where, script), changes)
    else:
        name = (launcher.texts("--config") or [""])[0]
        tree = torchtitan.read_registry(name, changes)
    return _settle_torchtitan(tree, where, number)


def _says_chips(options: Options) -> bool:
    try:
        return count_chips(options, None)[1] > 0
    except FormatError:
        return False


def _dotted(words: Sequence[str]) -> dict[str, str]:
    """Return ``--section.name value`` and ``section.name=value`` as a mapping."""
    place: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], "true"], strict=False):
        key, equals, value = word.partition("=")
        if word.startswith("--"):
            place[key[2:]] = value if equals else "true" if following.startswith("--") else following
        elif equals and key.replace(".", "").replace("_", "").isalnum():
            place[key] = value
    return place
