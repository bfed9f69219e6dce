"""TLS certificates that renew themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, get_args

from troposphere import certificatemanager as acm

from archlib.core.component import Component
from archlib.core.formats import check_domain
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.watch import Watch

KeyAlgorithm = Literal["RSA_2048", "EC_prime256v1", "EC_secp384r1"]

_MORE_MAX = 9
_DAYS_LEFT = 30


class Certificate(Component):
    """A public TLS certificate of AWS Certificate Manager, proven by records in a hosted zone and renewed by them.

    Creates ``<Name>Certificate``. The stack waits until it is issued, so the zone must answer for its domain already.

    See https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html

    Args:
        stack: where the resources go; for CloudFront that is one with ``region="us-east-1"``.
        name: kebab-case.
        domain: host name it is for, such as ``shop.example.com`` or ``*.example.com``.
        more_domains: further host names, in the same zone; up to 9.
        zone_id: id of the hosted zone that proves the names.
        key_algorithm: ``RSA_2048`` is understood everywhere; an elliptic curve is faster.
        transparency: list it in the public logs of certificates, without which browsers warn of it.

    Attributes:
        resource: the ``AWS::CertificateManager::Certificate``.

    Raises:
        SettingsError: a host name is malformed, or there are too many.
    """

    kind = "Certificate"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        domain: str,
        zone_id: Value,
        more_domains: Sequence[str] = (),
        key_algorithm: KeyAlgorithm = "RSA_2048",
        transparency: bool = True,
    ) -> None:
        super().__init__(stack, name)
        domains = list(dict.fromkeys((domain, *more_domains)))
        with self.checking() as check:
            for field, names in (("domain", (domain,)), ("more_domains", more_domains)):
                for each in names:
                    check_domain(check, field, each)
            check.between("more_domains", len(domains) - 1, 0, _MORE_MAX)
            check.one_of("key_algorithm", key_algorithm, get_args(KeyAlgorithm))
        self.resource = acm.Certificate(
            self.id(),
            CertificateTransparencyLoggingPreference="ENABLED" if transparency else "DISABLED",
            DomainName=domain,
            DomainValidationOptions=[
                acm.DomainValidationOption(DomainName=each, HostedZoneId=zone_id) for each in domains
            ],
            KeyAlgorithm=key_algorithm,
            ValidationMethod="DNS",
        )
        if domains[1:]:
            self.resource.SubjectAlternativeNames = domains[1:]
        self.add(self.resource)

    @property
    def arn(self) -> Value:
        """ARN of the certificate."""
        return self.ref()

    def watches(self) -> Sequence[Watch]:
        """Return what shows that it is not renewed."""
        return (
            Watch("days-left", f"Days until {self} expires", "AWS/CertificateManager", "DaysToExpiry",
                  {"CertificateArn": self.arn}, "Minimum", _DAYS_LEFT, "<=", period=timedelta(days=1)),
        )  # fmt: skip
