from base64 import b64encode

import pytest

from archlib.checks.rules.security.secret_in_script import SecretInScript

PARAMETERS = {"Password": {"Type": "String", "NoEcho": True}, "Name": {"Type": "String"}}


def instance(user_data):
    return {"I": {"Type": "AWS::EC2::Instance", "Properties": {"UserData": user_data}}}


@pytest.mark.parametrize(
    "user_data",
    [
        {"Fn::Base64": "#!/bin/sh\nexport DB_PASSWORD=hunter22\n"},
        {"Fn::Base64": {"Fn::Sub": "#!/bin/sh\necho 'password: hunter22' > /etc/app\nAPI_TOKEN='abc-def'"}},
        {"Fn::Base64": "#cloud-config\nwrite_files:\n  - db_password: hunter22\n"},
        {"Fn::Base64": '{"secret": "hunter22"}'},
        {"Fn::Base64": "mysqladmin --password hunter22"},
        {"Fn::Base64": {"Fn::Join": ["", ["#!/bin/sh\n", "PASSWORD=", "hunter22"]]}},
        {"Fn::Base64": {"Fn::Sub": "run {{resolve:secretsmanager:${Name}:SecretString:password}}"}},
        {"Fn::Base64": "run {{resolve:ssm-secure:password:1}}"},
        {"Fn::Base64": {"Fn::Sub": "run ${Password}"}},
        {"Fn::Base64": {"Fn::Sub": ["run ${P}", {"P": {"Ref": "Password"}}]}},
        {"Fn::Base64": {"Fn::Join": [" ", ["run", {"Ref": "Password"}]]}},
    ],
)
def test_a_secret_in_a_script_is_found(places, user_data):
    assert places(SecretInScript, instance(user_data), Parameters=PARAMETERS) == ["I/Properties/UserData"]


def test_launch_templates_and_both_branches_of_a_condition_are_read(places):
    data = {"UserData": {"Fn::If": ["C", {"Fn::Base64": "ls"}, {"Fn::Base64": "TOKEN=abcdef"}]}}
    template = {"T": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": data}}}
    assert places(SecretInScript, template) == ["T/Properties/LaunchTemplateData/UserData/Fn::If/2"]


@pytest.mark.parametrize(
    "script",
    [
        "DB_PASSWORD=$(aws secretsmanager get-secret-value --secret-id app --query SecretString)",
        "TOKEN=`curl -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 21600'`",
        'curl -H "X-aws-ec2-metadata-token: $TOKEN"',
        "run --password ${!PASSWORD} ${Name}",
        "docker login --username AWS --password-stdin",
        "sed -i 's/PasswordAuthentication yes/PasswordAuthentication no/'\nPasswordAuthentication=no",
        "# password=hunter22\n",
        'if [ "$password" == "" ]; then exit 1; fi',
        "SECRET_ARN=arn:aws:secretsmanager:x\nSECRET=arn:aws:secretsmanager:x\nDB_SECRET=app/prod",
        "lock_passwd: true\nchpasswd: { expire: False }",
        "token = get_token()\nconnect(password=db_password)",
    ],
)
def test_what_a_script_reads_or_computes_is_fine(places, script):
    assert places(SecretInScript, instance({"Fn::Base64": {"Fn::Sub": script}}), Parameters=PARAMETERS) == []


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"Command": ["run", "--password", "x"]}]},
         "ContainerDefinitions/0/Command"),
        ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"EntryPoint": ["sh", "-c", "DBPASS=hunter22 run"]}]},
         "ContainerDefinitions/0/EntryPoint"),
        ("AWS::ECS::TaskDefinition",
         {"ContainerDefinitions": [{"HealthCheck": {"Command": ["CMD-SHELL", "redis-cli -a hunter22 ping"]}}]},
         "ContainerDefinitions/0/HealthCheck/Command"),
        ("AWS::ECS::TaskDefinition", {"ContainerDefinitions": [{"Command": ["run", "--token", {"Ref": "Password"}]}]},
         "ContainerDefinitions/0/Command"),
        ("AWS::ECS::TaskDefinition",
         {"ContainerDefinitions": [{"Command": {"Fn::If": ["C", ["run"], ["mysql", "-phunter22"]]}}]},
         "ContainerDefinitions/0/Command/Fn::If/2"),
        ("AWS::Batch::JobDefinition", {"ContainerProperties": {"Command": ["run", "--api-key=hunter22"]}},
         "ContainerProperties/Command"),
        ("AWS::Lambda::Function", {"ImageConfig": {"EntryPoint": ["/run", "--password=hunter22"]}},
         "ImageConfig/EntryPoint"),
        ("AWS::AppRunner::Service", {"Source": {"StartCommand": "run --password hunter22"}}, "Source/StartCommand"),
        ("AWS::CodeBuild::Project", {"Source": {"BuildSpec": "phases:\n  - docker login -u app -p hunter22\n"}},
         "Source/BuildSpec"),
        ("AWS::SSM::Document", {"Content": {"mainSteps": [{"inputs": {"runCommand": ["DB_PASSWORD=hunter22"]}}]}},
         "Content/mainSteps/0/inputs/runCommand"),
    ],
)  # fmt: skip
def test_a_secret_in_a_command_is_found(places, kind, properties, place):
    found = places(SecretInScript, {"R": {"Type": kind, "Properties": properties}}, Parameters=PARAMETERS)
    assert found == [f"R/Properties/{place}"]


@pytest.mark.parametrize(
    "properties",
    [
        {"Command": ["run", "--password", "$DB_PASSWORD"]},
        {"Command": ["run", "--password", {"Ref": "Name"}]},
        {"Command": ["sh", "-c", "DB_PASSWORD=${DB_PASSWORD} run --password-stdin"]},
        {"Command": {"Name": "glueetl", "ScriptLocation": "s3://bucket/script.py"}},
        {"EntryPoint": ["run"], "Command": [{"Fn::GetAtt": ["X", "Arn"]}], "StartCommand": None, "BuildSpec": 1},
    ],
)
def test_other_commands_are_fine(places, properties):
    resources = {"R": {"Type": "Custom::Any", "Properties": properties}}
    assert places(SecretInScript, resources, Parameters=PARAMETERS) == []


def test_what_an_instance_makes_of_its_metadata_is_read(findings):
    files = {
        "/etc/a": {"content": "[client]\npassword = supersecret\n"},
        "/etc/b": {"content": {"Fn::Join": ["\n", ["DB_PASSWORD=hunter22", ""]]}},
        "/etc/c": {"content": {"Fn::Sub": "user = ${Name}"}},
    }
    init = {"config": {"files": files, "commands": {"a": {"command": ["ls", "mysql -phunter22"]}}}}
    template = {"Resources": {"I": {"Type": "AWS::EC2::Instance", "Metadata": {"AWS::CloudFormation::Init": init}}}}
    found = findings(SecretInScript, template)
    root = ["Resources", "I", "Metadata", "AWS::CloudFormation::Init", "config"]
    assert sorted(path for path, _ in found) == [
        [*root, "commands", "a", "command", 1],
        [*root, "files", "/etc/a", "content"],
        [*root, "files", "/etc/b", "content"],
    ]
    assert all(message.startswith("metadata of I holds ") for _, message in found)


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("#!/bin/sh\nexport DB_PASSWORD=hunter22\n", "the value of DB_PASSWORD"),
        ("#!/bin/sh\ncurl https://hooks.slack.com/services/" + "T01ABCDEF/B01ABCDEF/abcdefghijkl", "a webhook with"),
    ],
)
def test_encoded_user_data_is_decoded(findings, script, what):
    [(_, message)] = findings(SecretInScript, {"Resources": instance(b64encode(script.encode()).decode())})
    assert message.startswith(f"user data of I holds {what}")


@pytest.mark.parametrize("script", [b"#!/bin/sh\necho hello to everyone\n", b"\x1f\x8b\xff\xfe" * 8, b"", b"short"])
def test_encoded_user_data_without_a_secret_is_fine(places, script):
    assert places(SecretInScript, instance(b64encode(script).decode())) == []


def test_a_script_that_cannot_be_known_is_skipped(places):
    assert places(SecretInScript, instance({"Ref": "Name"}), Parameters=[]) == []


def test_the_message_names_the_variable_and_not_the_secret(findings):
    [(_, message)] = findings(SecretInScript, {"Resources": instance({"Fn::Base64": "DB_PASSWORD=hunter22"})})
    assert message.startswith("user data of I holds the value of DB_PASSWORD")
    assert "hunter22" not in message
