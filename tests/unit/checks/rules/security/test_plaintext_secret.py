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
        ("Custom::Thing", {"SigningKey": "hunter22"}, "SigningKey"),
        ("Custom::Thing", {"Settings": {"db.password": "hunter22"}}, "Settings/db.password"),
        ("AWS::ElasticBeanstalk::Environment", {"OptionSettings": [{"OptionName": "DB_PASSWORD", "Value": "hunter22"}]},
         "OptionSettings/0/Value"),
        ("AWS::CloudFront::Distribution", {"OriginCustomHeaders": [{"HeaderName": "x-token", "HeaderValue": "abc"}]},
         "OriginCustomHeaders/0/HeaderValue"),
        ("AWS::SSM::Parameter", {"Name": "/app/db/password", "Value": "hunter22"}, "Value"),
        ("AWS::SSM::Parameter", {"Name": {"Fn::Sub": "/${App}/password"}, "Value": {"Fn::If": ["C", "hunter22", "no"]}},
         "Value/Fn::If/1"),
        ("AWS::SSM::Parameter", {"Value": '{"user": "app", "password": "hunter22"}'}, "Value"),
        ("AWS::SSM::Parameter", {"Value": {"Fn::Sub": '{"host": "${Host}", "password": "hunter22"}'}}, "Value"),
        ("AWS::SSM::Parameter", {"Value": {"Fn::Join": ["", ['{"api_key": "', "hunter22", '"}']]}}, "Value"),
        ("AWS::SecretsManager::Secret",
         {"GenerateSecretString": {"SecretStringTemplate": '{"user": "app", "api_key": "hunter22"}'}},
         "GenerateSecretString/SecretStringTemplate"),
        ("AWS::Events::Rule", {"Input": '{"environment": [{"name": "DB_PASSWORD", "value": "hunter22"}]}'}, "Input"),
        ("AWS::StepFunctions::StateMachine", {"DefinitionString": '{"Parameters": {"password": "hunter22"}}'},
         "DefinitionString"),
        ("AWS::Lambda::Function", {"Code": {"ZipFile": "PASSWORD = 'hunter22'\n"}}, "Code/ZipFile"),
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
        {
            "Parameters": {
                "old_passwords": "0",
                "password_encryption": "scram-sha-256",
                "default_password_lifetime": "90",
            }
        },
        {"Parameters": [{"ParameterName": "old_passwords", "ParameterValue": "0"}]},
        {"Parameters": {"validate_password": "ON", "mysql_native_password": "OFF", "check_password": 1}},
        {"EncryptionKey": "alias/app", "SigningKey": "1b4e28ba-2fa1-41d2-883f-0016d3cca427"},
        {"EncryptionKey": {"Id": "alias/app", "Type": "KMS"}},
        {"Value": '{"user": "app", "password": "${Password}"}'},
        {"Value": {"Fn::Sub": '{"user": "app", "password": "${Password}"}'}},
        {"Value": f'{{"password": "{RESOLVED}"}}'},
        {"Name": "/app/db/password", "Value": RESOLVED},
        {"Name": "/app/db/password", "Value": {"Ref": "P"}},
        {"Name": "/app/db/password-min-length", "Value": "12"},
        {"HeaderName": "x-token", "HeaderValue": {"Ref": "P"}},
        {"Command": ["run", "--password", "hunter22"], "UserData": "PASSWORD=hunter22"},
        {"Code": {"ZipFile": "password = read(name)\nself.token = token\nconnect(password=password)\n"}},
        {"SecretStringTemplate": '{"username": "app"}', "GenerateStringKey": "password"},
        {"SecretArn": "x", "PasswordPolicy": {"MinimumLength": 14}, "KeyName": "x"},
        {"Password": ""},
        {"Password": {"Fn::GetAtt": "Broken"}, "Token": None, "Secret": [[]]},
    ],
)
def test_what_only_looks_like_a_secret_is_fine(places, properties):
    assert places(PlaintextSecret, {"R": {"Type": "Custom::Any", "Properties": properties}}) == []


@pytest.mark.parametrize(
    ("default", "found"),
    [
        ({"DbPassword": {"Type": "String", "Default": "hunter22"}}, True),
        ({"Settings": {"Type": "String", "Default": '{"password": "hunter22"}'}}, True),
        ({"DbPassword": {"Type": "String", "Default": "hunter22", "NoEcho": True}}, False),
        ({"DbPassword": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "app-password"}}, False),
        ({"DbPassword": {"Type": "String", "Default": ""}}, False),
        ({"DbPassword": {"Type": "String", "NoEcho": True}, "Mode": {"Type": "String", "Default": "hunter22"}}, False),
        ({"PasswordMinLength": {"Type": "Number", "Default": 12}, "Broken": None}, False),
    ],
)
def test_the_default_of_a_parameter_is_read(findings, default, found):
    paths = [path for path, _ in findings(PlaintextSecret, {"Parameters": default, "Resources": {}})]
    assert paths == ([["Parameters", next(iter(default)), "Default"]] if found else [])


def test_a_mapping_is_read(findings):
    template = {"Mappings": {"Stage": {"prod": {"DbPassword": "hunter22", "Size": "large"}}}, "Resources": {}}
    [(path, message)] = findings(PlaintextSecret, template)
    assert path == ["Mappings", "Stage", "prod", "DbPassword"]
    assert message.startswith("DbPassword of a mapping is written out")


def test_the_message_about_a_text_names_property_and_name(findings):
    value = {"Fn::If": ["C", '{"password": "hunter22", "token": "abcdef"}', ""]}
    [(path, message)] = findings(
        PlaintextSecret, {"Resources": {"P": {"Type": "Custom::P", "Properties": {"V": value}}}}
    )
    assert path == ["Resources", "P", "Properties", "V", "Fn::If", 1]
    assert message.startswith("the value of password in V of P is written out")
    assert "hunter22" not in message


def test_the_message_says_what_to_do(findings):
    template = {"Resources": {"Db": {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserPassword": "hunter22"}}}}
    [(_, message)] = findings(PlaintextSecret, template)
    assert message.startswith("MasterUserPassword of Db is written out")
    assert "{{resolve:secretsmanager:...}}" in message
    assert "hunter22" not in message
