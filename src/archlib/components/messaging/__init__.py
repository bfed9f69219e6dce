"""Queues, topics, buses, streams and deliveries."""
