"""A launch of any stack as a job and a strategy: scripts, configurations and names of recipes, read and never executed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tianji.catalog.entries import is_there
from tianji.errors import FormatError
from tianji.exporters.formats.yaml_text import check_size, parse_documents
from tianji.exporters.frameworks.megatron import MEGATRON
from tianji.exporters.frameworks.mindspeed import MINDSPEED
from tianji.exporters.launch_reader.adapters import read_options_task
from tianji.exporters.launch_reader.commands import describe_other, find_training
from tianji.exporters.launch_reader.configurations import (
    Reading,
    SettledLaunch,
    read_command,
    read_configuration,
    read_named,
)
from tianji.exporters.launch_reader.counts import count_chips
from tianji.exporters.launch_reader.left_out import describe_left_out
from tianji.exporters.launch_reader.manifests import is_manifest, read_manifests
from tianji.exporters.launch_reader.models import is_encoder_decoder, read_model
from tianji.exporters.launch_reader.options import REQUIRED, Options
from tianji.exporters.launch_reader.precisions import read_precision
from tianji.exporters.launch_reader.shell_reader import read_script
from tianji.exporters.launch_reader.shell_script import Script
from tianji.exporters.launch_reader.stacks.recipe_programs import read_program
from tianji.exporters.launch_reader.strategies import read_strategy_options
from tianji.exporters.launch_reader.switches import read_switches
from tianji.exporters.rules.facts import model_facts
from tianji.exporters.rules.tables import ReleaseRule, RuleTable, load_rules
from tianji.input_files import read_text
from tianji.parallel.strategy import Strategy
from tianji.units import GIGA
from tianji.workload import Job, Model

DIALECTS = {"megatron": MEGATRON, "mindspeed": MINDSPEED}
EXPECTED = "a launch script or the configuration of a training"
EFFECTS = {"stops": "would stop", "differs": "runs otherwise", "unsupported": "not supported"}
"""What a broken rule does to the run."""
CONFIGURE_CORE = ("swift-megatron", "verl", "llama-factory", "bridge")
"""Stacks that configure Megatron's library themselves: the checks of its command line are not asked there."""
CONFIGURATIONS = (".yaml", ".yml", ".json", ".toml")
"""Endings of configurations; all but the last may hold a manifest of Kubernetes."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a launch starts. ``assumed`` says what was taken where it is silent, ``ignored`` which options were not needed."""

    job: Job
    strategy: Strategy
    chips: int
    node: int
    """Processes on each node; 0 where the script does not say."""
    framework: str
    assumed: tuple[str, ...]
    ignored: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """What changes time or memory and is not priced, and in which direction that errs."""
    broken: tuple[str, ...] = ()
    """What the framework's own checks would stop at, or run otherwise."""
    stack: str = "megatron"
    """The project whose launch it is."""
    switches: tuple[str, ...] = ()
    """What it says of its software's switches, as words of ``--with``."""

    @property
    def stops(self) -> tuple[str, ...]:
        """Of what is broken that at which the framework stops before the first step."""
        return tuple(text for text in self.broken if text.startswith(EFFECTS["stops"]))


def read_launch(
    path: str | os.PathLike[str],
    chips: int | None = None,
    settings: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Launch:
    """Return the job and the strategy of a launch.

    Args:
        path: A launch script, a configuration, or the name of a recipe (torchtitan's registry, Megatron Bridge).
        chips: How many chips, where the launch does not say; it counts before what the launch says.
        settings: Variables of the script, or keys of the configuration, as the user sets them.
        arguments: Words that the script is started with.

    Raises FormatError for what cannot be read or trains nothing, naming the option that is missing or wrong.
    """
    given, where = dict(settings or {}), str(path)
    file = Path(path)
    if not is_there(file) and (named := read_named(where, chips or 0, given, arguments)):
        return _finish(named, chips)
    text = read_text(file, EXPECTED)
    if file.suffix in CONFIGURATIONS[:3] and "apiVersion" in text:
        documents = parse_documents(text, where, file.suffix == ".json", last_counts=True)
        if is_manifest(documents):
            return _read_manifest(documents, file, chips, given, arguments)
    if file.suffix in CONFIGURATIONS:
        return _finish(read_configuration(text, file, chips or 0, given, arguments), chips)
    if file.suffix == ".py":
        program = read_program(text, where, given)
        if program is None:
            raise FormatError(f"{where}: a program in Python that takes no recipe of NeMo or Megatron Bridge by name")
        return _finish(program, chips)
    script = read_script(text, where, given, arguments, file)
    command = find_training(script)
    if command is None:
        raise FormatError(_describe_none(where, script))
    reading = read_command(command, script, file, chips or 0, given)
    return _finish(reading, chips, script)


def _read_manifest(
    documents: list[Any], file: Path, chips: int | None, given: Mapping[str, str], arguments: Sequence[str]
) -> Launch:
    """Return what the pods of a Kubernetes manifest start, on the chips that they ask for.

    Raises FormatError for a manifest whose pods start no training.
    """
    check_size(documents, str(file))
    manifest = read_manifests(documents)
    script = read_script(manifest.text, str(file), given, arguments, file, manifest.files)
    command = find_training(script)
    if command is None:
        raise FormatError(_describe_none(str(file), script))
    number = chips or manifest.chips or None
    launch = _finish(read_command(command, script, file, number or 0, given), number, script)
    if chips or not manifest.chips:
        return launch
    counted = f"{manifest.chips:,} chips: {manifest.pods} pods with {manifest.node} each, as the manifest asks for"
    return replace(launch, node=manifest.node, assumed=(counted, *launch.assumed))


def read_options(path: str) -> Options:
    """Return the options of Megatron's command in a script.

    Raises FormatError for a file that cannot be read or holds no such command.
    """
    script = read_script(read_text(path, EXPECTED), path, file=Path(path))
    command = find_training(script)
    if command is None:
        raise FormatError(_describe_none(path, script))
    reading = read_command(command, script, Path(path), 1, {})
    if not isinstance(reading, Options):
        raise FormatError(f"{path}: a launch of {command.stack}, which has no options of Megatron")
    return reading


def _describe_none(where: str, script: Script) -> str:
    if other := describe_other(script):
        return f"{where}: no training: it {other}; expected a script that starts one"
    names = [*script.missing, *script.absent]
    missing = f" (it takes in {', '.join(names[:3])}, not beside it)" if names else ""
    return (
        f"{where}: no launch command of a training that is known{missing}; expected one with options such as"
        f" {' '.join(REQUIRED[:3])}, as in `torchrun ... pretrain_gpt.py --num-layers 32 ...`"
    )


def _finish(reading: Reading, chips: int | None, script: Script | None = None) -> Launch:
    if isinstance(reading, SettledLaunch):
        job, s = reading.job, reading.strategy
        framework, stack = reading.framework, reading.stack
        broken: tuple[str, ...] = ()
        if reading.rules:
            table, facts = load_rules(reading.rules), model_facts(job.model) | {"chips": s.chips}
            broken = describe_broken(table, table.broken_by(facts | dict(reading.stated)))
        return Launch(
            job, s, s.chips, reading.node, framework, reading.assumed, reading.ignored, reading.left_out, broken, stack
        )
    return _of_options(reading, chips, script)


def describe_broken(table: RuleTable, rules: Iterable[ReleaseRule]) -> tuple[str, ...]:
    """Return what broken rules do to a run, each with its cure and its place."""
    return tuple(
        f"{EFFECTS[rule.effect]}: {rule.says} (it takes {rule.fix}; {table.framework}, {rule.source})" for rule in rules
    )


def _of_options(options: Options, chips: int | None, script: Script | None) -> Launch:
    """Return the launch of Megatron's options."""
    if options.model is None:
        is_hybrid = options.has("--hybrid-layer-pattern", "--hybrid-override-pattern")
        for name in REQUIRED:
            if not (is_hybrid and name == "--num-layers"):
                options.count(written_as(options, name))
        # Who asks for the length afterwards asks by its usual name.
        options.values.setdefault("--seq-length", options.values[written_as(options, "--seq-length")])
    assumed = list(options.remarks)
    framework = find_framework(options)
    model = read_model(options, Path(options.where).stem or "model", assumed)
    node, world = count_chips(options, chips)
    strategy = read_strategy_options(options, model, world, DIALECTS[framework], assumed)
    usual = strategy.dp * strategy.micro_batch_size * options.accumulation
    last = _last_batch(options)
    batch = last or options.count("--global-batch-size", usual)
    if not last and not options.has("--global-batch-size"):
        assumed.append(f"--global-batch-size: {batch:,}, one micro-batch on each replica, the framework's default")
    seq_len = options.count(written_as(options, "--seq-length"))
    if (doubt := doubt_size(options.where, model)) and options.model is None:
        assumed.insert(0, doubt)
    tokens, task = _count_tokens(options, batch, seq_len), read_options_task(options, assumed)
    job = Job(model, seq_len, batch, read_precision(options), tokens, task=task)
    contested = sorted(options.contested)
    if contested:
        assumed.append(f"branches of the script set {', '.join(contested[:6])}: the last value counts")
    if script and script.missing:
        assumed.append(f"not beside the script, and so not read: {', '.join(script.missing[:4])}")
    switches = read_switches(options, model)
    left_out, ignored = describe_left_out(options)
    table = load_rules(framework)
    facts = {} if options.model is None else model_facts(model)
    rules = (r for r in table.broken(options.values, facts) if not (r.is_of_parser and options.stack in CONFIGURE_CORE))
    broken = describe_broken(table, rules)
    return Launch(
        job, strategy, strategy.chips, node, framework, tuple(assumed), ignored, left_out, broken, options.stack, switches
    )  # fmt: skip


def doubt_size(where: str, model: Model) -> str:
    """Return a warning where the name of a file states another size than its options make; else an empty text."""
    named = re.search(r"(?:^|[_-])(\d+(?:\.\d+|p\d+|point\d+)?)b(?=$|[_.-])", Path(where).stem.lower())
    if not named:
        return ""
    stated = float(re.sub(r"point|p", ".", named[1])) * GIGA
    ratio = model.num_parameters / stated
    if 0.7 < ratio < 1.4:
        return ""
    return (
        f"the file is named for {stated / GIGA:g}B parameters and its options make {model.num_parameters / GIGA:,.1f}B: is a size"
        " missing (--moe-ffn-hidden-size, --vocab-size)?"
    )


def written_as(options: Options, name: str) -> str:
    """Return the option that holds a size where a stack has another name for it.

    A script for images and text counts the text's tokens as the decoder's, and the images' as ``--seq-length``.
    """
    others = {
        "--seq-length": ("--decoder-seq-length", "--total-seq-length", "--encoder-seq-length"),
        "--num-layers": ("--encoder-num-layers",),
    }
    if name == "--seq-length" and is_encoder_decoder(options):
        return max(("--encoder-seq-length", "--decoder-seq-length"), key=options.count)
    if name == "--seq-length" and options.has("--decoder-seq-length"):
        return "--decoder-seq-length"
    if name in options.values:
        return name
    return next((other for other in others.get(name, ()) if other in options.values), name)


def find_framework(options: Options) -> str:
    """Return whose script it is, by the options and variables that only one framework has; else Megatron-LM's."""
    marked = (name for name, dialect in DIALECTS.items() if any(mark in options.values for mark in dialect.marks))
    return next(marked, "megatron")


def _count_tokens(options: Options, batch: int, seq_len: int) -> float:
    for name, size in (("--train-iters", batch * seq_len), ("--train-samples", seq_len)):
        text = options.text(name) if options.texts(name) else None
        if text is not None and text.isascii() and text.isdigit():
            return float(int(text[:15]) * size)
    return 0.0


def _last_batch(options: Options) -> int | None:
    """Return the last batch of ``--step-batch-size-schedule "0:768 250B:1536"``, which Megatron trains to the end; None without.

    Source: Megatron-LM, megatron/core/num_microbatches_calculator.py: the batch of the schedule's last step is the global one.

    Raises FormatError where it is no such schedule.
    """
    words = " ".join(options.texts("--step-batch-size-schedule")).split()
    if not words:
        return None
    _, colon, size = words[-1].rpartition(":")
    if not colon or not size.isascii() or not size.isdigit() or not 0 < int(size[:12]) < 10**9:
        raise FormatError(
            f"{options.where}: --step-batch-size-schedule {' '.join(words)[:60]!r}: expected THRESHOLD:BATCH pairs,"
            " like '0:768 250B:1536'"
        )
    return int(size)
