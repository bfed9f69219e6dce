"""The script around the user's own: it prepares the instance before, and tells CloudFormation how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from troposphere import Ref

from archlib.core.artifact import Asset
from archlib.core.values import REGION, URL_SUFFIX, Value, join
from archlib.wiring.mount import FileSystemMount

_STACK = Ref("AWS::StackName")
_AGENT = "/opt/aws/amazon-cloudwatch-agent"


def code_folder(app: str) -> str:
    """Return the folder on the instance that the code is unpacked in."""
    return f"/opt/{app}"


def environment_file(app: str) -> str:
    """Return the file on the instance that holds the environment variables."""
    return f"/etc/{app}/environment"


@dataclass(frozen=True, slots=True)
class StartScript:
    """What an instance does when it starts, in this order.

    Attributes:
        app: name of the app, which the folders are called after.
        resource: logical id of the group, which CloudFormation waits for.
        environment: name -> value.
        mounts: file systems to mount.
        agent: the configuration of the CloudWatch agent, in pieces; nothing if it does not run.
        first: what other components have it run, in pieces.
        code: bucket and asset of the code, if there is any.
        own: the user's script, in pieces.
    """

    app: str
    resource: str
    environment: Mapping[str, Value]
    mounts: Sequence[FileSystemMount] = ()
    agent: Sequence[Value] = ()
    first: Sequence[Value] = ()
    code: tuple[Value, Asset] | None = None
    own: Sequence[Value] = ()

    def render(self) -> Value:
        """Return it as one text."""
        return join(
            "#!/bin/bash\nset -euo pipefail\n",
            *self._signal(),
            *self._environment(),
            *(part for mount in self.mounts for part in _mount(mount)),
            *self._agent(),
            *self.first,
            *self._code(),
            *self.own,
        )

    def _signal(self) -> Iterator[Value]:
        signal = f'trap \'/opt/aws/bin/cfn-signal --exit-code "$?" --resource {self.resource} --stack "'
        yield from (signal, _STACK, '" --region "', REGION, "\" || true' EXIT\n")
        # Routes, endpoints and security-group rules may be made after the instance.
        yield from ("until curl --silent --connect-timeout 5 --output /dev/null https://cloudformation.", REGION)
        yield from (".", URL_SUFFIX, "; do sleep 5; done\n")

    def _environment(self) -> Iterator[Value]:
        file = environment_file(self.app)
        yield f"mkdir -p /etc/{self.app}\ncat > {file} <<'END'\n"
        # The AWS CLI and SDKs do not find out on their own which region they are in.
        given: dict[str, Value] = {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, **self.environment}
        for name, value in sorted(given.items()):
            yield from (f"{name}='", value, "'\n")
        yield f"END\nset -a\n. {file}\nset +a\n"

    def _agent(self) -> Iterator[Value]:
        if self.agent:
            file = f"{_AGENT}/etc/{self.app}.json"
            yield f"dnf install -y amazon-cloudwatch-agent\ncat > {file} <<'END'\n"
            yield from self.agent
            yield f"\nEND\n{_AGENT}/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:{file}\n"

    def _code(self) -> Iterator[Value]:
        if self.code is not None:
            bucket, asset = self.code
            folder = code_folder(self.app)
            yield from ('aws s3 cp --no-progress "s3://', bucket, f'/{asset.key}" /tmp/code.zip\n')
            yield f"mkdir -p {folder}\nunzip -oq /tmp/code.zip -d {folder}\nrm /tmp/code.zip\ncd {folder}\n"


def _mount(mount: FileSystemMount) -> Iterator[Value]:
    options = f"_netdev,noresvport,tls,iam{',ro' if mount.read_only else ''},accesspoint="
    yield f"dnf install -y amazon-efs-utils\nmkdir -p {mount.path}\necho '"
    yield from (mount.file_system_id, f":/ {mount.path} efs {options}", mount.access_point_id)
    yield f" 0 0' >> /etc/fstab\nmount {mount.path}\n"
