"""Identity: roles, keys, secrets, parameters and user pools."""
