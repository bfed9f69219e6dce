"""Groups of EC2 instances."""
