"""Our own rules, as cfn-lint rules: what other scanners miss."""

from archlib.checks.rules import deploy, security

RULES = (*deploy.RULES, *security.RULES)
