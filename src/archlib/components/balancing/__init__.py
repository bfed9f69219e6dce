"""Load balancers: for HTTP, for TCP and UDP, and for firewall appliances."""
