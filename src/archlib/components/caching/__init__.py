"""Data kept in memory for a while: Valkey, Redis OSS, Memcached, and DAX before a table."""
