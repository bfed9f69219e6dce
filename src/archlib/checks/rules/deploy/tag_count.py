"""E9128: resources have at most 50 tags."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources

_MOST = 50


class TagCount(Rule):
    """A resource has more tags than AWS accepts."""

    id = "E9128"
    shortdesc = "Resources have at most 50 tags"
    description = "Remove tags; those of the stack count too."
    source_url = "https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"

    def find(self, cfn: Template) -> Found:
        """Yield each resource with too many tags."""
        for resource in resources(cfn).values():
            tags = resource.get("Tags")
            if not resource.type.startswith("AWS::") or not isinstance(tags, list | dict):
                continue
            count = len(tags) if isinstance(tags, dict) else sum(isinstance(tag, dict) and "Key" in tag for tag in tags)
            if count > _MOST:
                message = f"{resource.name} has {count} tags, AWS accepts {_MOST}; remove some"
                yield resource.path("Tags"), message
