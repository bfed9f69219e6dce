"""Networks: VPC, security groups and endpoints."""
