"""What differs between the frameworks of Megatron's family, as data: one dialect for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tianji.exporters.contract import Limits, Refusal
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.plan_facts.abilities import Abilities
from tianji.parallel.plan import Plan
from tianji.workload import Model


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one framework of the family spells what a plan says, and what it refuses.

    Attributes:
        name: The framework as people call it.
        script: Name of its launch script.
        implementation: Which layers it builds.
        narrow_implementation: Which layers it builds for number formats of 8 bits and fewer.
        tokenizer: Its options for a tokenizer of Hugging Face.
        checkpoint_format: Its format where nothing is sharded beyond the optimizer.
        backend_comment: What its users should know of ``--distributed-backend``.
        uneven_stages: The option for stages or chunks that hold different numbers of layers.
        dispatch: The options of each way in which tokens reach their experts.
        context: The option of each kind of context parallelism.
        attention: The options of fused attention (True) and of plain attention.
        offload: The options that put the optimizer's state and activations into host memory.
        cheap_outputs: Options that drop the outputs of norms and activations in the forward pass; empty where modules are
            listed by name.
        modules: The options that recompute the named modules.
        overlap_tp: The option that cuts matmuls into pieces, so that their communication runs beside them.
        overlap_ep: The option that runs the experts' exchange beside another micro-batch.
        rope_scaling: Its options for positions that are scaled.
        rules: The table of what its parser stops at (:mod:`tianji.exporters.rules`).
        fp8_formats: Its word for the format of fp8 layers, by the name of a precision; that of others is ``hybrid``.
        moments: The options of Adam's moments in fewer bytes than fp32, by their dtype.
        cuts_experts: Whether experts are cut like matrices where a script does not say.
        fuses_attention: Whether attention is fused where a script does not say.
        marks: Options and variables by which a script is known as this framework's.
        losses: The options of each kernel of the cross entropy.
        main_weights: The options of each way to keep master weights.
        abilities: What it offloads, recomputes by name and keeps in which format.
        refusals: What it would run otherwise than priced, beside what the whole family refuses.
        knows_patterns: Whether it has options for gated delta nets and Mamba-2 in some of the layers.
        tuning: Its options for a run that trains adapters.
        tuning_program: The program that such a run starts.
    """

    name: str
    script: str
    implementation: Tree
    narrow_implementation: Tree
    tokenizer: Tree
    checkpoint_format: str
    backend_comment: str
    uneven_stages: Callable[[Plan], Argument]
    dispatch: Mapping[str, Tree]
    context: Mapping[str, Argument]
    attention: Mapping[bool, Tree]
    offload: Callable[[Plan], Tree]
    cheap_outputs: Tree
    modules: Callable[[tuple[str, ...]], Tree]
    overlap_tp: Argument
    overlap_ep: Argument
    rope_scaling: Callable[[Model, Limits], Tree]
    rules: str
    fp8_formats: Mapping[str, str]
    moments: Mapping[str, Tree]
    cuts_experts: bool
    fuses_attention: bool
    marks: tuple[str, ...]
    losses: Mapping[str, Tree]
    main_weights: Mapping[str, Tree]
    abilities: Abilities
    refusals: tuple[Refusal, ...]
    knows_patterns: bool = False
    tuning: Callable[[Plan, Limits], Tree] = lambda plan, limits: ()
    tuning_program: str = "pretrain_gpt.py"
