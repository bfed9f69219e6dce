import pytest

from archlib.checks.rules.security.secret_in_environment import SecretInEnvironment

HIDDEN = {"Hidden": {"Type": "String", "NoEcho": "true"}}


def function(name, value):
    return {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": {name: value}}}}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter22"),
        ("DB_PASSWORD", "/hunter22"),
        ("DB_PASSWORD", "$hunter22!"),
        ("STRIPE_SECRET", "sk-1234"),
        ("githubToken", "abcdef"),
        ("API_KEY", "abcdef"),
        ("AWS_SECRET_KEY", "abcdef"),
        ("DB_PWD", "hunter22"),
        ("PASSWD", "hunter22"),
        ("APIKEY", "abcdef"),
        ("SMTP_PASS", "hunter22"),
        ("DBPASS", "hunter22"),
        ("SIGNING_KEY", "hunter22"),
        ("ENCRYPTION_KEY", "hunter22"),
        ("CONFIG", '{"user": "app", "password": "hunter22"}'),
        ("CONFIG", {"Fn::Sub": '{"host": "${Host}", "password": "hunter22"}'}),
        ("JAVA_OPTS", "-Xmx1g -Dspring.datasource.password=hunter22"),
        ("OPTIONS", "--user app --password hunter22"),
        ("STARTUP", {"Fn::Join": [" ", ["run", "--token=hunter22", {"Ref": "Host"}]]}),
        ("spring.datasource.password", "hunter22"),
        ("DB_PASSWORD", {"Fn::Sub": "hunter22"}),
        ("DB_PASSWORD", {"Fn::Sub": "${AWS::StackName}-hunter22"}),
        ("API_KEY", {"Fn::Join": ["", ["hunter", "22"]]}),
        ("API_KEY", {"Fn::Sub": ["${A}22", {"A": "hunter"}]}),
        ("ANYTHING", "{{resolve:secretsmanager:app}}"),
        ("ANYTHING", {"Fn::Sub": "x-{{resolve:secretsmanager:${App}:SecretString:key}}"}),
        ("ANYTHING", {"Fn::Join": ["", ["{{resolve:ssm-secure:", {"Ref": "App"}, "}}"]]}),
        ("ANYTHING", {"Ref": "Hidden"}),
    ],
)
def test_a_secret_of_a_function_is_found(places, name, value):
    found = places(SecretInEnvironment, function(name, value), Parameters=HIDDEN)
    assert found == [f"F/Properties/Environment/Variables/{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD_ARN", "hunter22"),
        ("DB_SECRET_NAME", "hunter22"),
        ("DB_SECRET_ID", "hunter22"),
        ("TOKEN_URL", "https://example.com/token"),
        ("DB_SECRET", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"),
        ("DB_SECRET", {"Ref": "Secret"}),
        ("DB_SECRET", "app/prod"),
        ("DB_PASSWORD", "/app/db/password"),
        ("MAX_TOKEN", "4096"),
        ("PWD", "/var/task"),
        ("PASSWORD_MIN_LENGTH", "12"),
        ("TOKEN_TTL", "3600"),
        ("KEY_PREFIX", "a/"),
        ("SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"),
        ("PASSWORD_FILE", "/run/secrets/x"),
        ("ENCRYPTION_KEY", "alias/app"),
        ("CONFIG", '{"user": "app", "password_file": "/run/secrets/x"}'),
        ("CONFIG", {"Fn::Sub": '{"password": "${Password}"}'}),
        ("OPTIONS", "--password-stdin --token $TOKEN"),
        ("BYPASS", "health"),
        ("DB_PASSWORD", {"Fn::Sub": "/${AWS::StackName}/db/password"}),
        ("DB_PASSWORD", {"Fn::Sub": "{{resolve:ssm:/${AWS::StackName}/mode}}"}),
        ("DB_PASSWORD", {"Fn::Sub": "${Given}"}),
        ("DB_PASSWORD", {"Fn::Sub": "x-${Given}"}),
        ("DB_PASSWORD", {"Fn::Join": ["", ["x", {"Ref": "Given"}]]}),
        ("DB_SECRET", {"Fn::Sub": "${AWS::StackName}-db"}),
        ("DB_SECRET", {"Fn::Sub": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"}),
        ("DB_PASSWORD", {"Fn::ImportValue": "x"}),
        ("USE_TOKEN", "true"),
        ("REGION", "{{resolve:ssm:/app/region}}"),
        ("MODE", "production"),
        ("DB_PASSWORD", None),
        ("DB_PASSWORD", ["a"]),
    ],
)
def test_what_is_no_secret_is_fine(places, name, value):
    assert places(SecretInEnvironment, function(name, value), Parameters=HIDDEN) == []


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("AWS::ECS::TaskDefinition",
         lambda variables: {"ContainerDefinitions": [{"Environment": variables}]},
         "ContainerDefinitions/0/Environment"),
        ("AWS::CodeBuild::Project",
         lambda variables: {"Environment": {"EnvironmentVariables": variables}},
         "Environment/EnvironmentVariables"),
        ("AWS::AppRunner::Service",
         lambda variables: {"Source": {"CodeConfigurationValues": {"RuntimeEnvironmentVariables": variables}}},
         "Source/CodeConfigurationValues/RuntimeEnvironmentVariables"),
        ("AWS::Amplify::Branch",
         lambda variables: {"EnvironmentVariables": variables},
         "EnvironmentVariables"),
        ("AWS::Batch::JobDefinition",
         lambda variables: {"ContainerProperties": {"Environment": variables}},
         "ContainerProperties/Environment"),
    ],
)  # fmt: skip
def test_lists_of_variables_are_read(places, kind, properties, place):
    variables = [
        {"Name": "MODE", "Value": "production"},
        {"Name": "DB_PASSWORD", "Value": "hunter22"},
        {"Name": "DB_PASSWORD", "Value": "app:password", "Type": "SECRETS_MANAGER"},
        {"Name": "DB_PASSWORD", "ValueFrom": "x"},
        "broken",
    ]
    found = places(SecretInEnvironment, {"R": {"Type": kind, "Properties": properties(variables)}})
    assert found == [f"R/Properties/{place}/1/Value"]


def test_an_object_of_variables_and_both_branches_of_a_condition_are_read(places):
    model = {"Containers": [{"Environment": {"MODE": "x", "API_KEY": {"Fn::If": ["C", "hunter22", {"Ref": "Key"}]}}}]}
    found = places(SecretInEnvironment, {"M": {"Type": "AWS::SageMaker::Model", "Properties": model}})
    assert found == ["M/Properties/Containers/0/Environment/API_KEY/Fn::If/1"]


def test_variables_in_one_text_are_read(places):
    text = '[{"name":"DB_PASSWORD","value":"hunter22","type":"PLAINTEXT"}]'
    referred = '[{"name":"DB_PASSWORD","value":"app:password","type":"SECRETS_MANAGER"}]'
    actions = [{"Configuration": {"EnvironmentVariables": variables}} for variables in (referred, text)]
    found = places(
        SecretInEnvironment, {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {"Actions": actions}}}
    )
    assert found == ["P/Properties/Actions/1/Configuration/EnvironmentVariables"]


def test_an_environment_that_is_none_is_fine(places):
    project = {"Environment": {"Type": "LINUX_CONTAINER", "Image": "x", "RegistryCredential": {"Credential": "x"}}}
    resources = {
        "P": {"Type": "AWS::CodeBuild::Project", "Properties": project},
        "T": {"Type": "Custom::Thing", "Properties": {"Environment": "hunter22", "Env": ["password", 1, None]}},
    }
    assert places(SecretInEnvironment, resources) == []


def test_the_message_says_what_to_do(findings):
    [(_, message)] = findings(SecretInEnvironment, {"Resources": function("DB_PASSWORD", "hunter22")})
    assert message.startswith("environment variable DB_PASSWORD of F holds a plain secret")
    assert message.endswith("pass the secret's ARN and read it at run time")
