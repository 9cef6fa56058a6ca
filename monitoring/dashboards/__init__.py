"""The six dashboards. Which one answers which question: docs/dashboards.md."""

from monitoring.dashboards import capacity, images, launches, member, overview, redirector
from monitoring.panels import Dashboard

DASHBOARDS: tuple[Dashboard, ...] = (
    overview.DASHBOARD,
    member.DASHBOARD,
    launches.DASHBOARD,
    images.DASHBOARD,
    capacity.DASHBOARD,
    redirector.DASHBOARD,
)
