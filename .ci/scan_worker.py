"""Run the scanners that are Python libraries over templates; JSON on standard output.

``python scan_worker.py load|scan TEMPLATE...`` runs with the interpreter of the scanners' own virtual environment.
``load`` only returns the templates as data, ``scan`` the findings too.
"""

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfn_flip
import pycfmodel
from cfripper.cli import init_cfripper
from cfripper.model.enums import RuleMode
from cloudformation_validate import CompositeEngine, Severity
from cloudsplaining.scan.policy_document import PolicyDocument
from cloudsplaining.shared.constants import ISSUE_SEVERITY
from parliament import analyze_policy_string, enhance_finding
from pydantic import ValidationError
from scan_values import Resolver, documents, outputs, statements

_SEVERE = ("medium", "high", "critical")
_CLOUDSPLAINING = {
    "PrivilegeEscalation": "allows_privilege_escalation",
    "DataExfiltration": "allows_data_exfiltration_actions",
    "ResourceExposure": "permissions_management_without_constraints",
    "ServiceWildcard": "service_wildcard",
    "CredentialsExposure": "credentials_exposure",
    "InfrastructureModification": "infrastructure_modification",
}

Found = tuple[str, str, str, str, str]
"""Template, logical id, scanner, rule, message."""


def validate(templates: dict[str, Any]) -> Iterator[Found]:
    """Run cloudformation-validate: errors and warnings."""
    engine = CompositeEngine()
    for path in templates:
        for item in engine.validate_template(path).diagnostics:
            if item.severity.value >= Severity.WARN.value:
                yield path, item.entity.logical_id if item.entity else "", "validate", item.rule_id, item.message


def cfripper(templates: dict[str, Any]) -> Iterator[Found]:
    """Run cfripper: what blocks and what it monitors."""
    config, processor = init_cfripper(None, None, None, None)
    for path, template in templates.items():
        # pycfmodel takes a threshold such as 0.25 for an error; no rule looks at numbers that closely.
        whole = json.loads(json.dumps(template), parse_float=lambda text: int(float(text)))
        readable = dict(whole["Resources"])
        for resource in readable.values():
            # Nor does it know this attribute of Auto Scaling groups.
            resource.pop("CreationPolicy", None)
        try:
            model = pycfmodel.parse(whole)
        except ValidationError as error:
            # pycfmodel refuses what it does not know; the rest of the template must be scanned all the same.
            for name in {place["loc"][1] for place in error.errors() if len(place["loc"]) > 1}:
                readable.pop(name, None)
                yield path, name, "cfripper", "PARSING", "cfripper cannot read this resource"
            model = pycfmodel.parse({**whole, "Resources": readable})
        result = processor.process_cf_template(model, config)
        for failure in result.failures:
            if failure.rule_mode in {RuleMode.BLOCKING, RuleMode.MONITOR}:
                for logical_id in failure.resource_ids or {""}:
                    yield path, logical_id, "cfripper", failure.rule, failure.reason
        for error in result.exceptions:
            yield path, "", "cfripper", "EXCEPTION", f"{type(error).__name__}: {error}"


def policies(templates: dict[str, Any]) -> Iterator[Found]:
    """Run parliament over every policy document, cloudsplaining over those of identities."""
    folders: dict[Path, list[Any]] = {}
    for path, template in templates.items():
        folders.setdefault(Path(path).parent, []).append(template)
    for path, template in templates.items():
        resolver = Resolver(template, outputs(folders[Path(path).parent]))
        for logical_id, resource in template["Resources"].items():
            for document in documents(resolver.value(resource.get("Properties", {}))):
                for rule, message in parliament(document):
                    yield path, logical_id, "parliament", rule, message
                if not any("Principal" in item or "NotPrincipal" in item for item in statements(document)):
                    for rule, message in cloudsplaining(document):
                        yield path, logical_id, "cloudsplaining", rule, message


def parliament(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield rule and message of the findings in ``document`` of medium severity and up."""
    # A trust policy or repository policy has no Resource, which parliament takes for an error.
    complete = [
        {"Resource": "*", **item} if "Principal" in item and "NotResource" not in item else item
        for item in statements(document)
    ]
    for finding in analyze_policy_string(json.dumps({**document, "Statement": complete})).findings:
        enhance_finding(finding)
        if finding.severity.lower() in _SEVERE:
            yield finding.issue, f"{finding.title}: {finding.detail}"


def cloudsplaining(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield rule and message of the findings in ``document`` of medium severity and up."""
    policy = PolicyDocument(document)
    for rule, attribute in _CLOUDSPLAINING.items():
        if ISSUE_SEVERITY[rule] in _SEVERE and (actions := getattr(policy, attribute)):
            yield rule, ", ".join(map(str, actions))


def main(mode: str, *paths: str) -> None:
    """Print the templates, and with ``scan`` the findings."""
    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(sys.stderr):  # some scanners print notes
        templates = {path: json.loads(cfn_flip.to_json(Path(path).read_text(encoding="utf-8"))) for path in paths}
        runs = (validate, cfripper, policies) if mode == "scan" else ()
        findings = [found for run in runs for found in run(templates)]
    json.dump({"templates": templates, "findings": findings}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
