"""What operators see and hear of a federation: Grafana's dashboards and Prometheus' rules, as code.

`python -m monitoring` writes both into `charts/federation` (`dashboards/*.json`, `rules/*.yaml`),
from where the chart and `compose.yaml` take them. They are made here because a query that stands
in ten panels is written once, and because tests read them as data: `tests/monitoring` asks a real
Prometheus each of them. Only for development: nothing of it is installed with the services.
"""
