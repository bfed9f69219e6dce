"""Containers on ECS: clusters, services, tasks, and the repositories of their images."""
