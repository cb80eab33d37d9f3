"""Say what a occurrence means on a chip under a version of torch: symbol + chip + version give meaning, answer and source."""

from tianji.migration.judging.api_support import ApiUse, judge_apis
from tianji.migration.judging.findings import Finding, Impact, judge_occurrence
from tianji.migration.judging.packages import PackageVerdict, judge_packages

__all__ = ["ApiUse", "Finding", "Impact", "PackageVerdict", "judge_apis", "judge_occurrence", "judge_packages"]
