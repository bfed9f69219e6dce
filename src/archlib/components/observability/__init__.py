"""Observability: log groups, alarms, dashboards and tracing."""
