from __future__ import annotations

import subprocess
from pathlib import Path

from archlib import App, Stack
from archlib.components.compute.instances import Instances
from archlib.components.compute.user_data import UserData
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.components.storage.file_system import FileSystem
from archlib.wiring.mount import FileSystemMount
from unit.components.compute.conftest import Rendered, script


def test_environment_reaches_the_code_in_a_file(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    made = Instances(stack, "app", network=vpc, environment={"STAGE": "test"})
    made.set_environment("TOPIC", Topic(stack, "alarms").arn)
    made.set_secret("LOGIN_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:111122223333:secret:login")
    made.set_environment("STAGE", "test")

    text = script(rendered())
    start = text.index("cat > /etc/shop/environment <<'END'\n")
    assert text[start : text.index("END\n", start + 50)].splitlines()[1:] == [
        "AWS_DEFAULT_REGION='${AWS::Region}'",
        "AWS_REGION='${AWS::Region}'",
        "LOGIN_SECRET_ARN='arn:aws:secretsmanager:us-east-1:111122223333:secret:login'",
        "STAGE='test'",
        "TOPIC='${AlarmsTopic}'",
    ]


def test_mounts_file_systems(app: App, stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    files = FileSystem(Stack(app, "data"), "uploads", network=vpc)
    existing = FileSystemMount("a:b/fsap-1", "a:b/fs-1", "/mnt/models", read_only=True)
    Instances(stack, "app", network=vpc, file_systems=[files.mount(path="/mnt/uploads"), existing])

    found = rendered()
    text = script(found)
    assert ":/ /mnt/uploads efs _netdev,noresvport,tls,iam,accesspoint=" in text
    assert "echo 'fs-1:/ /mnt/models efs _netdev,noresvport,tls,iam,ro,accesspoint=fsap-1 0 0' >> /etc/fstab" in text
    assert "mount /mnt/models\n" in text
    assert found["AppToUploads2049Ingress"]["Properties"]["FromPort"] == 2049


def test_the_whole_script_is_bash(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, environment={"A": 'x $y "z"'}, user_data=UserData(text='echo "$A"\n'))

    text = script(rendered())
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    start, end = text.index("cat > /etc/shop/environment"), text.index("END\nset -a")
    # The file as a shell reads it.
    lines = text[start:end].splitlines()[1:]
    shell = "\n".join(["set -a", *lines, "printenv A"])
    done = subprocess.run(["bash", "-c", shell], text=True, capture_output=True, check=True)
    assert done.stdout == 'x $y "z"\n'


def test_everything_is_ready_before_the_own_script(stack: Stack, vpc: Vpc, rendered: Rendered, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print(1)\n")
    made = Instances(stack, "app", network=vpc, code=tmp_path, user_data=UserData(text="own\n"))
    made.run_first("first\n")

    text = script(rendered())
    places = [text.index(each) for each in ("cfn-signal", "until curl", "END\n", "\nfirst\n", "unzip ", "\nown\n")]
    assert places == sorted(places)
    assert text.startswith("#!/bin/bash\nset -euo pipefail\n")
    assert text.endswith("cd /opt/shop\nown\n")
