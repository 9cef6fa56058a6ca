"""`python -m monitoring`: write the dashboards and the rules into the chart."""

from monitoring.writing import write_files

write_files()
