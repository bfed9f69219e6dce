"""Secrets Manager secrets: generated ones, and those that exist already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from awacs import secretsmanager as actions
from troposphere import awslambda, secretsmanager

from archlib.components.identity.key import Key
from archlib.core.component import Check, Component
from archlib.core.naming import check_name, logical_id, pascal
from archlib.core.stack import Stack
from archlib.core.values import ACCOUNT, Value
from archlib.errors import SettingsError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import connect
from archlib.wiring.roles import Caller

_READ = (actions.DescribeSecret, actions.GetSecretValue)
_ROTATE = (*_READ, actions.PutSecretValue, actions.UpdateSecretVersionStage)
_NEEDED_TO_ROTATE = (
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::IAM::ManagedPolicy",
    "AWS::Lambda::Permission",
)
_LENGTH = (16, 4096)
_EVERY = (timedelta(days=1), timedelta(days=1000))
_MONTH = timedelta(days=30)
# What breaks connection strings, shells and JSON when it is pasted unescaped.
_AWKWARD = "\"'/@\\"


class Rotator(Caller, Protocol):
    """What can rotate a secret: a Lambda function."""

    @property
    def arn(self) -> Value:
        """What Secrets Manager invokes."""
        ...


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation function that exists already, and when it runs.

    Attributes:
        function_arn: its ARN; it must have the rights, and allow ``secretsmanager.amazonaws.com`` to invoke it.
        every: time between rotations, whole days, 1 to 1000.
    """

    function_arn: Value
    every: timedelta = _MONTH


class Secret(Component):
    """An encrypted secret whose value AWS generates, so that no template, parameter or person ever holds it.

    Creates ``<Name>Secret`` and, with ``rotation``, ``<Name>SecretRotation``.

    A secret without rotation is a finding of several scanners (``AwsSolutions-SMG4``): give it ``rotation``, or
    :meth:`rotate_by` a function of the app.

    See https://docs.aws.amazon.com/secretsmanager/latest/userguide/best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        username: store JSON with this ``username`` and the generated ``password``; the bare value if left out.
        length: characters of the generated value, 16 to 4096.
        exclude_characters: characters the value must not contain.
        description: one sentence for the console.
        rotation: a rotation function that exists already.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::SecretsManager::Secret``.

    Raises:
        SettingsError: the length or the time between rotations is outside the range above.
    """

    kind = "Secret"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        username: str | None = None,
        length: int = 32,
        exclude_characters: str = _AWKWARD,
        description: str = "",
        rotation: Rotation | None = None,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.between("length", length, *_LENGTH)
            check.that(username != "", "username", "a name, or left out", username)
            if rotation is not None:
                _check_every(check, rotation.every)
        self.key = key or Key.of(stack)
        generated = secretsmanager.GenerateSecretString(ExcludeCharacters=exclude_characters, PasswordLength=length)
        if username is not None:
            generated.GenerateStringKey = "password"
            generated.SecretStringTemplate = json.dumps({"username": username})
        self.resource = secretsmanager.Secret(
            self.id(),
            Description=description or f"{name} of {stack.app.name} ({stack.app.environment})",
            GenerateSecretString=generated,
            KmsKeyId=self.key.arn,
        )
        self.add(self.resource, stateful=True)
        if rotation is not None:
            self.add(self._schedule(self.id("SecretRotation"), rotation.function_arn, rotation.every))

    @classmethod
    def lookup(cls, name: str, *, arn: Value, key_arn: Value | None = None) -> ExistingSecret:
        """Return a secret that exists already, as callers see it.

        Args:
            name: kebab-case; the prefix of the callers' environment variables.
            arn: its complete ARN, with the six characters at the end.
            key_arn: ARN of its customer-managed key; None if it has the one of Secrets Manager.

        Raises:
            SettingsError: an ARN is malformed.
        """
        check = Check(f"secret {check_name(name, 'secret')!r}")
        for field, value, service in (("arn", arn, ":secretsmanager:"), ("key_arn", key_arn, ":kms:")):
            ok = not isinstance(value, str) or (value.startswith("arn:") and service in value)
            check.that(ok, field, f"an ARN of {service.strip(':')}, or a reference to one", value)
        if check.problems:
            raise SettingsError(check.problems)
        return ExistingSecret(name, arn, key_arn)

    @property
    def arn(self) -> Value:
        """ARN of the secret, which every service accepts as its id."""
        return self.ref()

    def for_reading(self) -> Binding:
        """Return what a caller needs to read the value: rights and ``<NAME>_SECRET_ARN``."""
        return _reading(self.name, self.arn, self.key.arn)

    def for_rotating(self) -> Binding:
        """Return what a rotation function needs: rights to read, write and promote versions."""
        return Binding(self.name, f"rotating {self}", (Grant(_ROTATE, (self.arn,)), self.key.for_encrypting()))

    def rotate_by(self, function: Rotator, *, every: timedelta = _MONTH) -> None:
        """Have ``function`` make a new value again and again, the first time as soon as this is deployed.

        Creates ``<Function>Rotates<Name>`` and ``<Function>Rotates<Name>Permission`` in the function's stack, and
        gives the function the rights. What else it needs, such as the way to a database, must be connected before.

        Args:
            function: it handles the four steps of a rotation, see
                https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
            every: time between rotations, whole days, 1 to 1000.

        Raises:
            SettingsError: ``every`` is outside its range.
        """
        with self.checking() as check:
            _check_every(check, every)
        connect(function, self.for_rotating())
        title = logical_id(function.name, f"Rotates{pascal(self.name)}")
        function.stack.add(
            awslambda.Permission(
                f"{title}Permission",
                Action="lambda:InvokeFunction",
                FunctionName=function.arn,
                Principal="secretsmanager.amazonaws.com",
                SourceAccount=ACCOUNT,
                SourceArn=self.arn,
            )
        )
        schedule = self._schedule(title, function.arn, every)
        # Secrets Manager invokes the function at once: its rights and network rules must be there.
        own = pascal(function.name)
        schedule.DependsOn = sorted(
            part
            for part, resource in function.stack.template.resources.items()
            if part.startswith(own) and resource.resource_type in _NEEDED_TO_ROTATE
        )
        function.stack.add(schedule)

    def _schedule(self, title: str, function_arn: Value, every: timedelta) -> secretsmanager.RotationSchedule:
        return secretsmanager.RotationSchedule(
            title,
            RotationLambdaARN=function_arn,
            RotationRules=secretsmanager.RotationRules(AutomaticallyAfterDays=every.days),
            SecretId=self.arn,
        )


@dataclass(frozen=True, slots=True)
class ExistingSecret:
    """A secret that exists already; see :meth:`Secret.lookup`.

    Attributes:
        name: prefix of the callers' environment variables.
        arn: its complete ARN.
        key_arn: ARN of its customer-managed key.
    """

    name: str
    arn: Value
    key_arn: Value | None = None

    def for_reading(self) -> Binding:
        """Return what a caller needs to read the value: rights and ``<NAME>_SECRET_ARN``."""
        return _reading(self.name, self.arn, self.key_arn)


def _reading(name: str, arn: Value, key_arn: Value | None) -> Binding:
    decrypt = () if key_arn is None else (Grant(("kms:Decrypt",), (key_arn,)),)
    return Binding(name, f"reading secret {name!r}", (Grant(_READ, (arn,)), *decrypt), secrets={"SECRET_ARN": arn})


def _check_every(check: Check, every: timedelta) -> None:
    check.between("every", every, *_EVERY)
    check.that(every % timedelta(days=1) == timedelta(0), "every", "whole days", every)
