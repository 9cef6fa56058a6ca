"""Each alert fires where its condition is so, and stays silent where it is not: promtool tries."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from monitoring.rules.alerts import all_alerts
from monitoring.rules.files import rule_files
from tests.monitoring.alert_cases import CASES, Case
from tests.support.promtool import promtool


def _as_test(case: Case) -> dict[str, Any]:
    """Of an alert, only its labels are compared: the texts are in the rules' own tests."""
    (alert,) = [each for each in all_alerts() if each.name == case.alert]
    return {
        "interval": "1m",
        "name": f"{case.alert}: {case.why or 'fires'}",
        "input_series": [
            {"series": name, "values": values} for name, values in case.series.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"count by (alertname, namespace, job, instance, member, provider, quota) "
                f'(ALERTS{{alertname="{case.alert}",alertstate="firing"}})',
                "eval_time": case.at,
                "exp_samples": [
                    {"labels": _labels({"alertname": alert.name, **labels}), "value": 1}
                    for labels in case.fires
                ],
            }
        ],
    }


def _labels(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    fires = Counter(case.alert for case in CASES if case.fires)
    silent = Counter(case.alert for case in CASES if not case.fires)
    for alert in all_alerts():
        assert fires[alert.name], f"no case makes {alert.name} fire"
        assert silent[alert.name], f"no case keeps {alert.name} silent"


def test_alerts_fire_where_they_should_and_only_there(tmp_path: Path) -> None:
    for name, text in rule_files():
        (tmp_path / name).write_text(text)
    tests = {
        "rule_files": ["recording.yaml", "alerts.yaml"],
        "evaluation_interval": "1m",
        "tests": [_as_test(case) for case in CASES],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    is_well, said = promtool("test", "rules", "tests.yaml", folder=tmp_path)
    assert is_well, said


def test_rules_are_what_prometheus_takes(tmp_path: Path) -> None:
    for name, text in rule_files():
        (tmp_path / name).write_text(text)
        is_well, said = promtool("check", "rules", "--lint=all", "--lint-fatal", name,
                                 folder=tmp_path)  # fmt: skip
        assert is_well, said
