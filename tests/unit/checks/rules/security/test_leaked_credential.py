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
        ("https://hooks.slack.com/services/" + "T01ABCDEF/B01ABCDEF/abcdefghijklmnop", "a webhook with its secret"),
        ("github_pat_" + "A1" * 11 + "_" + "b2" * 29, "a GitHub token"),
        ("STRIPE=sk_" + "live_" + "51H8xYzAbCdEfGhIj", "a Stripe key"),
        ("Server=db;User Id=app;Pwd=hunter22;", "a URL or connection string with a password"),
        ("postgres://user:pw@host", "a URL or connection string with a password"),
        (
            "DATABASE_URL=postgresql+psycopg://app:hunter22@db.example.com:5432/app",
            "a URL or connection string with a password",
        ),
        ("redis://:hunter22@cache:6379", "a URL or connection string with a password"),
        ("mongodb+srv://app:hun$ter%4022@${Host}/app", "a URL or connection string with a password"),
        ("jdbc:postgresql://db/app?user=app&password=hunter22", "a URL or connection string with a password"),
        (
            "jdbc:sqlserver://db:1433;user=app;password=hunter22;encrypt=true",
            "a URL or connection string with a password",
        ),
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
        "postgres://${User}:${Password}@${Host}/app",
        "postgres://${AWS::StackName}:${Password}@host",
        "postgres://app:{{resolve:secretsmanager:app:SecretString:password}}@host",
        "postgres://app:$PASSWORD@host",
        "postgres://app:<password>@host",
        "postgres://app:{password}@host",
        "postgres://app:%s@host",
        "postgres://app:****@host",
        "postgres://app:xxxx@host",
        "postgres://app@host:5432/app",
        "https://example.com:8443/me@example.com",
        "jdbc:postgresql://db/app?user=app&password=${Password}",
        "jdbc:postgresql://db/app?user=app&password={{resolve:ssm-secure:x}}",
        "https://example.com/reset?password=",
    ],
)
def test_other_text_is_fine(findings, text):
    template = {"Description": text, "Resources": {"R": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": text}}}}
    assert findings(LeakedCredential, template) == []


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Join": ["", ["postgres://app:", "hunter22", "@", {"Ref": "Host"}]]},
        {"Fn::Join": [":", ["postgres://app", {"Fn::Sub": "hunter22@${Host}/app"}]]},
        {"Fn::Sub": ["postgres://app:${Word}@${Host}", {"Word": "hunter22"}]},
    ],
)
def test_a_credential_that_is_put_together_is_found(findings, value):
    template = {"Resources": {"R": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": value}}}}
    assert [path for path, _ in findings(LeakedCredential, template)] == [["Resources", "R", "Properties", "Value"]]


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Join": ["", ["postgres://app:", {"Ref": "Password"}, "@host"]]},
        {"Fn::Sub": ["postgres://app:${Word}@host", {"Word": {"Ref": "Password"}}]},
        {"Fn::Join": ["", ["postgres://app:", "{{resolve:secretsmanager:", {"Ref": "S"}, "}}@host"]]},
    ],
)
def test_a_reference_that_is_put_in_is_fine(findings, value):
    template = {"Resources": {"R": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": value}}}}
    assert findings(LeakedCredential, template) == []


def test_a_credential_in_one_part_is_found_once(findings):
    value = {"Fn::Join": ["", ["postgres://app:hunter22@host/", {"Ref": "Name"}]]}
    template = {"Resources": {"R": {"Type": "AWS::SSM::Parameter", "Properties": {"Value": value}}}}
    place = ["Resources", "R", "Properties", "Value", "Fn::Join", 1, 0]
    assert [path for path, _ in findings(LeakedCredential, template)] == [place]
