"""The name of a job, as schedulers take it."""

from __future__ import annotations

import re

from tianji.parallel.plan import Plan


def job_name(plan: Plan) -> str:
    """Return a name that Kubernetes and Slurm take: small letters, digits and dashes, at most 40."""
    name = re.sub(r"[^a-z0-9]+", "-", plan.job.model.name.lower()).strip("-")[:32].strip("-")
    return f"train-{name or 'model'}"
