"""E9208: databases have no public address."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources
from archlib.checks.rules.security._values import is_true

_DATABASES = (
    "AWS::AmazonMQ::Broker",
    "AWS::DMS::ReplicationInstance",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
    "AWS::RedshiftServerless::Workgroup",
)


class PublicDatabase(Rule):
    """A database, warehouse or broker gets an address on the internet."""

    id = "E9208"
    shortdesc = "No database on the internet"
    description = "Set PubliclyAccessible to false and place it in subnets without a route to the internet."
    source_url = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html"

    def find(self, cfn: Template) -> Found:
        """Yield each one."""
        for database in resources(cfn, *_DATABASES).values():
            for path, value in database.find("PubliclyAccessible"):
                if is_true(value):
                    yield path, f"{database.name} gets a public address; set PubliclyAccessible to false"
