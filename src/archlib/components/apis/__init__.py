"""APIs: REST and HTTP."""
