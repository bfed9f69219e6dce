import pytest

from archlib.checks.rules.security.plaintext_secret import PlaintextSecret

RESOLVED = "{{resolve:secretsmanager:app:SecretString:password}}"


@pytest.mark.parametrize(
    "value",
    [
        "hunter22",
        '{"user": "app"}',
        {"Fn::Sub": '{"user": "${Name}", "password": "hunter22"}'},
        {"Fn::Join": ["", ['{"password":"', "hunter22", '"}']]},
        f'{{"token": "abcdef", "password": "{RESOLVED}"}}',
        {"Fn::Sub": "hunter22"},
        {"Fn::Join": ["", ["hunter", "22"]]},
    ],
)
def test_a_secret_string_with_a_literal_is_found(places, value):
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": value}}
    assert places(PlaintextSecret, {"S": secret}) == ["S/Properties/SecretString"]


@pytest.mark.parametrize(
    "properties",
    [
        {"GenerateSecretString": {"PasswordLength": 32}},
        {"SecretString": RESOLVED},
        {"SecretString": f'{{"password": "{RESOLVED}"}}'},
        {"SecretString": "{}"},
        {"SecretString": {"Ref": "Given"}},
        {"SecretString": {"Fn::Sub": "${Given}"}},
        {"SecretString": {"Fn::Join": ["", ["", {"Ref": "Given"}]]}},
        {"SecretString": {"Fn::Sub": '{"password": "${Given}"}'}},
    ],
)
def test_a_generated_or_referenced_secret_string_is_fine(places, properties):
    assert places(PlaintextSecret, {"S": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}) == []


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("AWS::RDS::DBInstance", {"MasterUserPassword": "hunter22"}, "MasterUserPassword"),
        ("AWS::RDS::DBInstance", {"MasterUserPassword": 12345678}, "MasterUserPassword"),
        ("AWS::ElastiCache::ReplicationGroup", {"AuthToken": "hunter2-hunter2"}, "AuthToken"),
        ("AWS::ElastiCache::User", {"Passwords": [RESOLVED, "hunter22"]}, "Passwords/1"),
        ("AWS::AmazonMQ::Broker", {"Users": [{"Password": "hunter22"}]}, "Users/0/Password"),
        ("AWS::Cognito::UserPoolIdentityProvider", {"ProviderDetails": {"client_secret": "x1"}},
         "ProviderDetails/client_secret"),
        ("AWS::CodePipeline::Webhook", {"AuthenticationConfiguration": {"SecretToken": "x1"}},
         "AuthenticationConfiguration/SecretToken"),
        ("AWS::DMS::Endpoint", {"Password": {"Fn::If": ["C", "hunter22", {"Ref": "P"}]}}, "Password/Fn::If/1"),
        ("Custom::Thing", {"ApiKey": "abc"}, "ApiKey"),
        ("AWS::RDS::DBInstance", {"MasterUserPassword": {"Fn::Sub": "hunter22"}}, "MasterUserPassword"),
        ("AWS::RDS::DBInstance", {"MasterUserPassword": {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, "hunter22"]]}},
         "MasterUserPassword"),
    ],
)  # fmt: skip
def test_a_literal_in_a_property_for_secrets_is_found(places, kind, properties, place):
    assert places(PlaintextSecret, {"R": {"Type": kind, "Properties": properties}}) == [f"R/Properties/{place}"]


@pytest.mark.parametrize(
    "properties",
    [
        {"MasterUserPassword": RESOLVED},
        {"MasterUserPassword": f"a-{RESOLVED}"},
        {"MasterUserPassword": {"Ref": "P"}},
        {"MasterUserPassword": {"Fn::Sub": "${P}"}},
        {"MasterUserPassword": {"Fn::Sub": "{{resolve:secretsmanager:${AWS::StackName}}}"}},
        {"MasterUserPassword": {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": "S"}, "}}"]]}},
        {"ManageMasterUserPassword": "true", "MasterUserSecret": {"KmsKeyId": "x"}},
        {"GenerateSecret": True},
        {"TokenValidityUnits": {"AccessToken": "hours", "RefreshToken": "days"}},
        {"ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:x", "ClientToken": "abc"},
        {"EventSourceToken": "amzn1.ask"},
        {"MetadataOptions": {"HttpTokens": "required"}},
        {"DomainJoinServiceAccountSecret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"},
        {"Tls": {"PrivateKey": "/keys/key.pem"}},
        {"Secret": "app/database"},
        {"Environment": {"Variables": {"DB_PASSWORD": "hunter22"}}},
        {"Body": {"components": {"example": {"password": "secret"}}}},
        {"RequestParameters": {"method.request.header.token": "'x'"}},
        {"SecretArn": "x", "PasswordPolicy": {"MinimumLength": 14}, "KeyName": "x"},
        {"Password": ""},
        {"Password": {"Fn::GetAtt": "Broken"}, "Token": None, "Secret": [[]]},
    ],
)
def test_what_only_looks_like_a_secret_is_fine(places, properties):
    assert places(PlaintextSecret, {"R": {"Type": "Custom::Any", "Properties": properties}}) == []


def test_the_message_says_what_to_do(findings):
    template = {"Resources": {"Db": {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserPassword": "hunter22"}}}}
    [(_, message)] = findings(PlaintextSecret, template)
    assert message.startswith("MasterUserPassword of Db is written out")
    assert "{{resolve:secretsmanager:...}}" in message
    assert "hunter22" not in message
