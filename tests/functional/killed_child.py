"""Deploys one stack for each line on standard input, each time in a process of its own that may be killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from archlib.deploy.aws import Aws, Identity
from archlib.deploy.deployer import Deployer
from archlib.errors import ArchlibError
from deploying import ACCOUNT, REGION, artifact, changed, queue
from fakes.clock import ScaledClock


class ServedAws(Aws):
    """The account behind a URL."""

    def identity(self) -> Identity:
        return Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/tester", "aws")


def main(url: str, folder: str, scale: float) -> None:
    ServedAws(region=REGION, endpoint=url).client("cloudformation")  # what it loads is there for all
    for line in sys.stdin:
        version, name = line.split()
        stack = artifact(name, Topic={"Type": "AWS::SNS::Topic"})
        child = os.fork()
        if not child:
            clock = ScaledClock(scale)
            deployer = Deployer(aws=ServedAws(region=REGION, endpoint=url), clock=clock, journal=Path(folder))
            try:
                deployer.deploy([changed(stack, Jobs=queue()) if version == "new" else stack])
            except ArchlibError as error:
                sys.stderr.write(f"{error}\n")
                sys.stderr.flush()
                os._exit(error.exit_code)
            os._exit(0)
        say(child)
        say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
