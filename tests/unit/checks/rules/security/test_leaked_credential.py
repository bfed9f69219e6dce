import pytest

from archlib.checks.rules.security.leaked_credential import LeakedCredential

KEY_ID = "AKIA" + "QWERTYUIOPASDFGH"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (KEY_ID, "an AWS access key"),
        (f"aws_access_key_id={KEY_ID}", "an AWS access key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "a private key"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ("token ghp_" + "a1" * 18, "a GitHub token"),
        ("xoxb-" + "1234567890ab", "a Slack token"),
    ],
)
def test_a_credential_anywhere_is_found(findings, text, what):
    template = {
        "Parameters": {"P": {"Type": "String", "Default": text}},
        "Resources": {"R": {"Type": "AWS::SSM::Parameter", "Metadata": {"Note": [text]}}},
    }
    found = findings(LeakedCredential, template)
    assert sorted(path for path, _ in found) == [
        ["Parameters", "P", "Default"],
        ["Resources", "R", "Metadata", "Note", 0],
    ]
    assert all(f"contains {what};" in message and text not in message for _, message in found)


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "AKIASHORT",
        KEY_ID + "Z",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "ghp_short",
        "arn:aws:iam::123456789012:role/AKIA",
    ],
)
def test_other_text_is_fine(findings, text):
    template = {"Description": text, "Resources": {"R": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": text}}}}
    assert findings(LeakedCredential, template) == []
