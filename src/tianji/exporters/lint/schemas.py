"""Schemas of manifests and configurations, and what a document breaks of them, in words.

The schemas stand in ``schemas/``, written by hand from each format's documentation, which they name. Beside JSON Schema's own
keywords they use ``expected`` (a pattern in words), ``rule`` and ``fix`` (a ``not``, ``anyOf`` or ``contains`` in words) and
``nearNames`` (any name may stand there, but one that nearly is a known one is a slip).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from tianji.exporters.lint.violations import Violation

KUBERNETES = "kubernetes.json#/$defs/"
SCHEMAS: dict[tuple[str, str], str] = {
    ("mindxdl.gitee.com/v1", "AscendJob"): "ascend-job.json",
    ("batch.volcano.sh/v1alpha1", "Job"): "volcano-job.json",
    ("jobset.x-k8s.io/v1alpha2", "JobSet"): "job-set.json",
    ("ray.io/v1", "RayJob"): "ray-job.json",
    ("batch/v1", "Job"): f"{KUBERNETES}batchJob",
    ("v1", "Pod"): f"{KUBERNETES}pod",
    ("v1", "ConfigMap"): f"{KUBERNETES}configMap",
}
"""The schema of each apiVersion and kind."""
DEEPSPEED = "deepspeed.json"
SETTLED = "auto"
"""Where Hugging Face's Trainer puts its own value into a file of DeepSpeed."""
MINDFORMERS = "mindformers.json"
LLAMA_FACTORY, SWIFT = "llama-factory.json", "swift.json"
CONFIGURATIONS = {
    DEEPSPEED: "DeepSpeed", MINDFORMERS: "MindSpore Transformers", LLAMA_FACTORY: "LLaMA-Factory", SWIFT: "ms-swift",
}  # fmt: skip
"""Configurations that have no apiVersion and no kind, and what they are called."""
WORDS = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list",
    "object": "a mapping", "null": "nothing",
}  # fmt: skip
LONGEST = 60


@cache
def read_schema(name: str) -> dict[str, Any]:
    """Return a schema's text as values, by its file's name."""
    text = files("tianji.exporters.lint").joinpath("schemas", name).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_document(body: Mapping[str, Any], schema: str, where: str) -> list[Violation]:
    """Return everything in which a document leaves a schema, in the document's order and each once.

    What Hugging Face's Trainer fills into a file of DeepSpeed ("auto") is as it should be, and so are names that begin with "_".
    """
    found = _validator(schema).iter_errors({k: v for k, v in body.items() if not k.startswith("_")})
    errors = sorted(found, key=lambda e: [str(p) for p in e.absolute_path])
    if schema == DEEPSPEED:
        errors = [error for error in errors if error.instance != SETTLED]
    violations = [v for error in errors for v in _describe_error(error, schema, f"{where}, ")]
    return list(dict.fromkeys(violations))


@cache
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    def retrieve(name: str) -> Any:
        # Without its "$schema", which would bring the plain validator back.
        return DRAFT202012.create_resource({k: v for k, v in read_schema(name).items() if k != "$schema"})

    make: Any = Registry  # its arguments are hidden from type checkers
    registry = make(retrieve=retrieve)
    kind = extend(Draft202012Validator, {"nearNames": _near_names})
    return kind({"$ref": schema}, registry=registry)


def _near_names(validator: Any, wanted: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    from jsonschema import ValidationError

    known = schema.get("properties", {})
    for name in instance if isinstance(instance, dict) else ():
        near = get_close_matches(name, known, n=1, cutoff=0.85) if name not in known else []
        if near:
            yield ValidationError(near[0], path=[name], instance=instance[name])


def _describe_error(error: Any, schema: str, where: str) -> Iterator[Violation]:
    """Say what one error of the validator means."""
    path = describe_path(error.absolute_path)
    place, value, limit, own = f"{where}{path or 'top'}", error.instance, error.validator_value, error.schema
    name = next((str(p) for p in reversed(error.absolute_path) if isinstance(p, str)), "document")
    shown = f"{name}: {describe_value(value)}"
    match error.validator:
        case "additionalProperties":
            for key in sorted(set(value) - set(own.get("properties", {}))):
                fix = _suggest(key, own.get("properties", {}), schema)
                yield Violation("known field", place, f"{key}: {describe_value(value[key])}", fix)
        case "nearNames":
            yield Violation("known name", place, shown, f"write {error.message}")
        case "required":
            for key in (k for k in limit if k not in value):
                yield Violation("required field", place, f"no {key}", f"add {key}")
        case "dependentRequired":
            for key in (k for a, others in limit.items() if a in value for k in others if k not in value):
                yield Violation("fields that need each other", place, f"no {key}", f"add {key}")
        case "type":
            yield Violation("type of a field", place, shown, _retype(value, limit))
        case "enum" | "const":
            known = [
                json.dumps(k) if not isinstance(k, str) else k for k in (limit if isinstance(limit, list) else [limit])
            ]
            near = get_close_matches(str(value), known, n=1, cutoff=0.6) or (known if len(known) == 1 else [])
            listing = f"write one of {', '.join(known)}"
            yield Violation("known value", place, shown, f"write {near[0]}" if near else listing)
        case "pattern":
            yield Violation("form of a value", place, shown, f"write {own.get('expected', limit)}")
        case "minimum" | "maximum":
            side = "at least" if error.validator == "minimum" else "at most"
            yield Violation("range of a value", place, shown, f"write {side} {limit}")
        case "maxLength":
            yield Violation("length of a value", place, shown, f"write at most {limit} characters")
        case "minItems" | "minProperties":
            yield Violation("something stands here", place, f"{name}: nothing", f"add at least {limit}")
        case _:
            yield Violation(
                own.get("rule", "form of the document"), place, shown, own.get("fix", "see the documentation")
            )


def describe_path(path: Any) -> str:
    """Return a place in a document as a person writes it.

    >>> describe_path(["spec", "tasks", 0, "annotations", "sp-block", "a.b/c"])
    "spec.tasks[0].annotations.sp-block['a.b/c']"
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f"['{part}']" if "." in part or "/" in part else f".{part}" if text else part
    return text


def describe_value(value: Any) -> str:
    """Return a value in short, with what it is where that is not plain to see."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _retype(value: Any, wanted: Any) -> str:
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    if kinds == ["string"] and isinstance(value, bool | int | float):
        return f'write "{json.dumps(value)}", in quotes'
    if isinstance(value, str) and value.strip() and set(kinds) & {"integer", "number", "boolean"}:
        is_number = value.strip().lstrip("-").isdigit() and "boolean" not in kinds
        if is_number or (value.lower() in ("true", "false") and "boolean" in kinds):
            return f"write {value.strip().lower()}, without quotes"
    return f"expected {' or '.join(WORDS[k] for k in kinds)}"


def _suggest(name: str, known: Mapping[str, Any], schema: str) -> str:
    """Return what to write in place of an unknown field: the nearest known one, or where the field belongs."""
    folded = {k.lower().replace("_", ""): k for k in known}
    near = folded.get(name.lower().replace("_", "")) or next(
        iter(get_close_matches(name, known, n=1, cutoff=0.8)), None
    )
    if near:
        return f"write {near}"
    places = sorted(_places(name, {"$ref": schema}, (), schema), key=len)
    if places:
        return f"it belongs in {describe_path(places[0]) or 'the top'}"
    far = get_close_matches(name, known, n=1, cutoff=0.6)
    if far:
        return f"write {far[0]}, or take it out"
    listing = ", ".join(sorted(known)[:12]) + (" and others" if len(known) > 12 else "")
    return f"take it out; known here: {listing}"


def _places(name: str, part: Any, path: tuple[str, ...], file: str) -> Iterator[tuple[str, ...]]:
    """Yield the places in a schema whose objects have a field of this name."""
    if not isinstance(part, dict):
        return
    if "$ref" in part:
        target, _, inner = part["$ref"].partition("#")
        file = target or file.partition("#")[0]
        part = read_schema(file)
        for step in inner.split("/")[1:]:
            part = part[step]
    known = part.get("properties", {})
    if name in known and not part.get("nearNames"):
        yield path
    for key, inner_part in known.items():
        yield from _places(name, inner_part, (*path, key), file)
    yield from _places(name, part.get("items"), path, file)
    for inner_part in part.get("allOf", ()):
        if "$ref" in inner_part:
            yield from _places(name, inner_part, path, file)
