"""Deliveries: what CodeBuild runs (``buildspec``), and running it on this machine (``build``)."""
