"""The regions that CloudFormation is in."""

from __future__ import annotations

from collections.abc import Sequence

from archlib.errors import UsageError

# cfn-lint has the same list, but importing it takes longer than all else.
REGIONS = frozenset(
    (
        "af-south-1",
        *("ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
        *("ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5"),
        *("ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1"),
        *("eu-central-1", "eu-central-2", "eu-isoe-west-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1"),
        *("eu-west-2", "eu-west-3", "eusc-de-east-1", "il-central-1", "me-central-1", "me-south-1", "mx-central-1"),
        "sa-east-1",
        *("us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-iso-east-1", "us-iso-west-1"),
        *("us-isob-east-1", "us-isob-west-1", "us-isof-east-1", "us-isof-south-1", "us-west-1", "us-west-2"),
    )
)

GLOBAL_REGION = "us-east-1"
"""Where CloudFront and Route 53 keep what they use and measure."""


def check_regions(chosen: Sequence[str]) -> None:
    """Refuse regions that do not exist.

    Raises:
        UsageError: CloudFormation is in no such region.
    """
    for region in chosen:
        if region not in REGIONS:
            from difflib import get_close_matches  # noqa: PLC0415  (for messages only)

            close = get_close_matches(region, sorted(REGIONS), n=1)
            advice = f"did you mean {close[0]!r}?" if close else "name one such as eu-west-1"
            raise UsageError(f"region must be one that CloudFormation is in, got {region!r}; {advice}")
