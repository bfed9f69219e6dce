"""What stands before the public entry: certificates, DNS, content delivery and firewalls."""
