"""``tianji export --check``: a user's own manifest against its schema and the rules of its scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from tianji.errors import FormatError, UnknownNameError
from tianji.exporters.formats.kinds import TITLES, find_kind
from tianji.exporters.lint.field_rules import check_counts
from tianji.exporters.lint.manifests import RESOURCES, read_documents, read_manifest
from tianji.exporters.lint.mindcluster_rules import check_manifest
from tianji.exporters.lint.schemas import (
    CONFIGURATIONS,
    DEEPSPEED,
    LLAMA_FACTORY,
    MINDFORMERS,
    SCHEMAS,
    SWIFT,
    check_document,
    read_schema,
)
from tianji.exporters.lint.violations import Violation
from tianji.exporters.rules.tables import flatten_values, load_rules

KINDS = ", ".join(f"{kind} ({version})" for version, kind in SCHEMAS)


SCHEMATA = {"deepspeed": DEEPSPEED, "mindformers": MINDFORMERS, "llama-factory": LLAMA_FACTORY, "swift": SWIFT}
"""Schemas of configurations that have no apiVersion and no kind."""
MEGATRON_KEYS = frozenset(
    {"attention_backend", "micro_batch_size", "tensor_model_parallel_size", "recompute_granularity", "train", "rollout"}
)
"""Keys of ms-swift's Megatron part and of its trainings under Ray, which have other names than the schema."""
RULES = {DEEPSPEED: "deepspeed", LLAMA_FACTORY: "llama_factory", SWIFT: "swift"}
"""The table of a framework's rules, by the schema of its files."""
OTHERS = "DeepSpeed's JSON or YAML of MindSpore Transformers, LLaMA-Factory or ms-swift"
COMMON = frozenset({"torch_compile", "compile", "fp16", "bf16", "optimizer", "scheduler", "tensorboard", "wandb"})
"""Keys of DeepSpeed that other projects' files have too: they alone tell nothing."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a check of a file gave: the kinds that were compared with a schema, and every rule that is broken."""

    kinds: tuple[str, ...]
    violations: tuple[Violation, ...]


def check_file(path: str) -> Check:
    """Return what the documents of a YAML or JSON file break of their schemas and of their scheduler's rules.

    Raises FormatError for a file that cannot be read, is no YAML, or holds nothing that Tianji knows; UnknownNameError for a
    kind that nearly is a known one.
    """
    kinds: list[str] = []
    violations: list[Violation] = []
    num_jobs = 0
    documents = read_documents(path)
    for document in documents:
        body, where = document.body, document.where
        violations += document.violations
        kind = "" if {"apiVersion", "kind"} & set(body) else find_kind(body)
        is_megatron = kind == "swift" and bool(MEGATRON_KEYS & set(body))
        if kind and (kind not in SCHEMATA or is_megatron):
            kinds.append(f"{TITLES[kind]} (known by its keys; there is no schema for it)")
            num_jobs += 1
            continue
        schema = SCHEMATA.get(kind) or _find_schema(body, where)
        if schema:
            kinds.append(CONFIGURATIONS.get(schema) or str(body["kind"]))
            violations += check_document(body, schema, where)
            violations += _check_rules(body, RULES.get(schema, ""), where)
            num_jobs += schema != SCHEMAS["v1", "ConfigMap"]
        manifest = read_manifest(body, where)
        if manifest.num_chips or "sp-block" in manifest.annotations:
            violations += check_manifest(manifest)
            num_jobs += 1
        violations += check_counts(body, where)
    if not num_jobs:
        resources, others = ", ".join(RESOURCES), sorted({str(d.body["kind"]) for d in documents if "kind" in d.body})
        came = f" (it holds {', '.join(others)})" if others else ""
        raise FormatError(
            f"{path}: no document asks for chips ({resources}){came}; expected a job, one of {KINDS}, {OTHERS}"
        )
    return Check(tuple(dict.fromkeys(kinds)), tuple(dict.fromkeys(violations)))


def _check_rules(body: Mapping[str, Any], table: str, where: str) -> list[Violation]:
    """Return what a configuration breaks of its framework's own rules."""
    if not table:
        return []
    broken = load_rules(table).broken_by(flatten_values(body))
    return [Violation(rule.says, where, f"{rule.effect}: {rule.source}", rule.fix) for rule in broken]


def _find_schema(body: Mapping[str, Any], where: str) -> str | None:
    """Return the schema of a document, None for a kind that has none here."""
    version, kind = body.get("apiVersion"), body.get("kind")
    if version is None and kind is None:
        known = set(read_schema(DEEPSPEED)["properties"]) & set(body)
        if known - COMMON and 2 * len(known) >= len(body):
            return DEEPSPEED
        first = ", ".join(repr(k) for k in list(body)[:3])
        raise FormatError(
            f"{where}: no apiVersion and no kind (its first keys: {first}); expected one of {KINDS}, {OTHERS}"
        )
    for (known_version, known_kind), schema in SCHEMAS.items():
        if (known_version, known_kind) == (version, kind):
            return schema
    versions = [v for v, k in SCHEMAS if k == kind]
    if versions:
        came = "no apiVersion" if version is None else f"unknown apiVersion {str(version)!r}"
        near = get_close_matches(str(version), versions, n=1, cutoff=0.5) or versions
        raise FormatError(f"{where}: {came} for kind {kind}; expected {' or '.join(near)}")
    kinds = list(dict.fromkeys(k for _, k in SCHEMAS))
    if kind is None:
        likely = [k for v, k in SCHEMAS if v == version] or kinds
        raise FormatError(f"{where}: no kind; expected {', '.join(likely)}")
    if any(v == version for v, _ in SCHEMAS if v != "v1") or _is_slip(str(kind), kinds):
        raise UnknownNameError(f"kind in {where}:", str(kind), kinds)
    return None


def _is_slip(kind: str, kinds: list[str]) -> bool:
    folded = {k.lower() for k in kinds}
    return bool(get_close_matches(kind.lower(), folded, n=1, cutoff=0.87)) and kind not in ("CronJob", "PodGroup")
