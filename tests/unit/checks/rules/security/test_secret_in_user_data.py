import pytest

from archlib.checks.rules.security.secret_in_user_data import SecretInUserData

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
    assert places(SecretInUserData, instance(user_data), Parameters=PARAMETERS) == ["I/Properties/UserData"]


def test_launch_templates_and_both_branches_of_a_condition_are_read(places):
    data = {"UserData": {"Fn::If": ["C", {"Fn::Base64": "ls"}, {"Fn::Base64": "TOKEN=abcdef"}]}}
    template = {"T": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": data}}}
    assert places(SecretInUserData, template) == ["T/Properties/LaunchTemplateData/UserData/Fn::If/2"]


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
    assert places(SecretInUserData, instance({"Fn::Base64": {"Fn::Sub": script}}), Parameters=PARAMETERS) == []


def test_a_script_that_cannot_be_known_is_skipped(places):
    assert places(SecretInUserData, instance({"Ref": "Name"}), Parameters=[]) == []


def test_the_message_names_the_variable_and_not_the_secret(findings):
    [(_, message)] = findings(SecretInUserData, {"Resources": instance({"Fn::Base64": "DB_PASSWORD=hunter22"})})
    assert message.startswith("user data of I holds the value of DB_PASSWORD")
    assert "hunter22" not in message
