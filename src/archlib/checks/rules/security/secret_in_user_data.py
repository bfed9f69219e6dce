"""E9203: user data holds no secret."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources
from archlib.checks.rules.security._secrets import assigned_secrets, hidden_parameters, revealed
from archlib.checks.rules.security._values import text

_USER_DATA = {
    "AWS::AutoScaling::LaunchConfiguration": ("UserData",),
    "AWS::EC2::Instance": ("UserData",),
    "AWS::EC2::LaunchTemplate": ("LaunchTemplateData", "UserData"),
}


class SecretInUserData(Rule):
    """A start script contains a password, or what CloudFormation replaces by one."""

    id = "E9203"
    shortdesc = "No secret in user data"
    description = "Let the script read the secret from Secrets Manager with the instance's role."
    source_url = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html"

    def find(self, cfn: Template) -> Found:
        """Yield each user data that holds one."""
        hidden = hidden_parameters(cfn)
        for resource in resources(cfn, *_USER_DATA).values():
            for path, value in resource.find(*_USER_DATA[resource.type]):
                names = sorted(set(assigned_secrets(text(value))))
                what = f"the value of {names[0]}" if names else revealed(value, hidden)
                if what:
                    message = (
                        f"user data of {resource.name} holds {what}, which every process on the instance can read; "
                        "read the secret with the instance's role when it is needed"
                    )
                    yield path, message
