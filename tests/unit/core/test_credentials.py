"""What is a secret and what only looks like one: one table each, for names, known forms, texts and scripts."""

import time
from base64 import b64encode

import pytest

from archlib.core.credentials import credentials, is_plain_secret, secrets_in_script, secrets_in_text

RESOLVED = "{{resolve:secretsmanager:app:SecretString:password}}"
# Put together here, so that no scanner takes them for real ones.
GITHUB = "ghp_" + "a1" * 18
STRIPE = "sk_" + "live_" + "51H8xYzAbCdEfGhIj"
WEB_TOKEN = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiJhcHAifQ.c2lnbmF0dXJlLW9mLWl0"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"
UUID = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"

NAMED = """
DB_PASSWORD=hunter22 DB_PASSWORD=/hunter22 DB_PASSWORD=$hunter22! DB_PASSWORD=12345678 DB_PASSWORD=password
DB_PASSWORD=changeme DBPASS=hunter22 dbPass=hunter22 MYSQLPASS=hunter22 SMTP_PASS=hunter22 PASS=hunter22
DB_PW=hunter22 MYSQL_PWD=hunter22 PASSWD=hunter22 KEY_PASSPHRASE=hunter22 DB_PASSWORD_1=hunter22 DB_PASSWORD2=hunter22
DB_PASSWORD_PROD=hunter22 PASSWORD_VALUE=hunter22 spring.datasource.password=hunter22 splunk-token=abcdef
SIGNING_KEY=hunter22 ENCRYPTION_KEY=hunter22 ENCRYPTION_KEY=0123456789abcdef0123456789abcdef JWT_KEY=hunter22
HMAC_KEY=hunter22 MASTER_KEY=hunter22 PreSharedKey=hunter22 AUTH_KEY=hunter22 APP_KEY=base64:aHVudGVy
LICENSE_KEY=ab12cd34 SECRET_KEY_BASE=ab12cd34 AWS_SECRET_ACCESS_KEY=ab12/cd34+ef56
AWS_SECRET_ACCESS_KEY=ab12/cd34/ef56 SIGNING_KEY=ab12/CD34/ef56 ACCESS_KEY=minioadmin
API_KEY=1b4e28ba-2fa1-41d2-883f-0016d3cca427 API_KEY=abc STRIPE_SECRET=sk-1234 CLIENT_SECRET=x1 githubToken=abcdef
CREDENTIALS=app:hunter22 REDIS_AUTH=hunter22 BASIC_AUTH=app:hunter22 JWT_SECRET=correct-horse
""".split()  # noqa: SIM905  (easier to read)

NOT_NAMED = f"""
DB_PASSWORD= DB_PASSWORD={RESOLVED} DB_PASSWORD=$DB_PASSWORD DB_PASSWORD=${{DB_PASSWORD}} DB_PASSWORD=$(cat)
DB_PASSWORD=${{db.password[0]}} DB_PASSWORD=<password> DB_PASSWORD={{password}} DB_PASSWORD={{{{.password}}}}
DB_PASSWORD=[password] DB_PASSWORD=**** DB_PASSWORD=xxxx DB_PASSWORD=... DB_PASSWORD=%s DB_PASSWORD=%DB_PASSWORD%
DB_PASSWORD=$env:DB_PASSWORD DB_PASSWORD=your-password-here DB_PASSWORD=true DB_PASSWORD=none DB_PASSWORD=required
DB_PASSWORD=prompt DB_PASSWORD=/app/db/password DB_PASSWORD=./password DB_PASSWORD=~/password
DB_PASSWORD=file:///run/secrets/x DB_PASSWORD=arn:aws:secretsmanager:eu-west-1:123456789012:secret:x
TOKEN=https://example.com/token PASSWORD_MIN_LENGTH=12 TOKEN_TTL=3600 MAX_TOKEN=4096 ACCESS_TOKEN=60m KEY_PREFIX=a/
SECRET_ARN=arn:aws:x SECRET_NAME=app SECRET_ID=app/db PASSWORD_FILE=/run/secrets/x PASSWORD_POLICY=strong
TOKEN_URL=https://example.com passwordless=always PASSWORD_HASH=sha old_passwords=0 password_encryption=scram-sha-256
password_history=24 BYPASS=health COMPASS=north ENCOMPASS=all proxy_pass=backend PASSENGERS=four COMPASSION=much
PARTITION_KEY=pk1 SORT_KEY=sk1 CACHE_KEY=orders:1 KEY=abc KEYS=a1 KMS_KEY=key1 PUBLIC_KEY=ssh-rsa
API_KEY_SOURCE=HEADER PWD=/tmp OLDPWD=tmp ENCRYPTION_KEY=alias/app ENCRYPTION_KEY={UUID}
ENCRYPTION_KEY=mrk-1234abcd12ab34cd56ef1234567890ab SIGNING_KEY=keys/app.pem SIGNING_KEY=app.pem
SIGNING_KEY=arn:aws:kms:eu-west-1:123456789012:key/x DB_SECRET=app/db CLIENT_TOKEN=abc nextToken=abc no-password=abc
AUTHOR=me SECRETARY=anna MONKEY=ape1 TOKENIZER=fast1
""".split()

FORMS = [
    ("AKIA" + "QWERTYUIOPASDFGH", "an AWS access key"),
    ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
    ("-----BEGIN PRIVATE KEY-----", "a private key"),
    ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "a private key"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
    *(
        (b64encode(f"-----BEGIN {kind}PRIVATE KEY{block}-----\nMIIEow".encode()).decode(), "a private key")
        for kind, block in (
            ("", ""), ("RSA ", ""), ("EC ", ""), ("DSA ", ""), ("OPENSSH ", ""), ("ENCRYPTED ", ""), ("PGP ", " BLOCK"),
        )
    ),
    ("PuTTY-User-Key-File-2: ssh-rsa", "a private key"),
    ("AGE-SECRET-KEY-1" + "Q" * 58, "a private key"),
    (GITHUB, "a GitHub token"),
    ("github_pat_" + "A1" * 11 + "_" + "b2" * 29, "a GitHub token"),
    ("glpat-" + "a1" * 10, "a GitLab token"),
    ("xoxb-" + "1234567890ab", "a Slack token"),
    ("xapp-1-" + "A012345678-abcdef", "a Slack token"),
    ("https://hooks.slack.com/services/" + "T01ABCDEF/B01ABCDEF/abcdefghijklmnopqrstuvwx", "a webhook with its secret"),
    ("https://discord.com/api/webhooks/" + "123456789012345678/" + "a1" * 34, "a webhook with its secret"),
    (f"x.webhook.office.com/webhookb2/{UUID}@{UUID}/IncomingWebhook/" + "a1" * 16, "a webhook with its secret"),
    (STRIPE, "a Stripe key"),
    ("rk_" + "test_" + "51H8xYzAbCdEfGhIj", "a Stripe key"),
    (WEB_TOKEN, "a JSON web token"),
    ("AIza" + "SyA1" * 8 + "abc", "a Google key"),
    ("GOCSPX-" + "a1b2" * 7, "a Google key"),
    ("npm_" + "a1" * 18, "an npm, PyPI or Docker token"),
    ("pypi-AgEI" + "cHlwaS5vcmc" + "a1" * 30, "an npm, PyPI or Docker token"),
    ("dckr_pat_" + "a1" * 14, "an npm, PyPI or Docker token"),
    ("SG." + "a1" * 11 + "." + "a1" * 21 + "b", "a SendGrid or Mailgun key"),
    ("key-" + "a1" * 16, "a SendGrid or Mailgun key"),
    ("sk-proj-" + "a1" * 20, "a key of an AI service"),
    ("sk-ant-" + "api03-" + "a1" * 20, "a key of an AI service"),
    ("hf_" + "aB" * 17, "a key of an AI service"),
    ("dop_v1_" + "a1" * 32, "a token of a service"),
    ("hvs." + "a1" * 14, "a token of a service"),
    ("shpat_" + "a1" * 16, "a token of a service"),
    ("tskey-auth-" + "k123456CNTRL-abcdef", "a token of a service"),
    ("1234567890:AA" + "a1_" * 11, "a token of a service"),
    *(
        (text, "a URL or connection string with a password")
        for text in (
            "postgres://app:hunter22@db.example.com/app",
            "redis://:hunter22@cache:6379",
            "jdbc:postgresql://db/app?user=app&password=hunter22",
            "jdbc:sqlserver://db:1433;user=app;password=hunter22;encrypt=true",
            "Server=db;Database=app;User Id=app;Password=hunter22;",
            "Server=tcp:db,1433;Initial Catalog=app;Uid=app;Pwd=hunter22",
            "Data Source=db; User ID = app; Password = 'hunter22';",
            "Password=hunter22;Server=db",
            "DefaultEndpointsProtocol=https;AccountName=app;AccountKey=aHVudGVyMjI=;EndpointSuffix=core.windows.net",
            "Endpoint=sb://app.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey=aHVudGVyMjI=",
            "host=db port=5432 user=app password=hunter22 dbname=app",
        )
    ),
]  # fmt: skip

NO_FORMS = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    b64encode(b"-----BEGIN CERTIFICATE-----\nMIIEow").decode(),
    b64encode(b"-----BEGIN PUBLIC KEY-----\nMIIEow").decode(),
    b64encode(b"-----BEGIN RSA PUBLIC KEY-----\nMIIEow").decode(),
    f"data:image/png;base64,{PICTURE}",
    COMMIT,
    UUID,
    "sha256:" + "a1" * 32,
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 me@example.com",
    "ghp_short",
    "sk_live_",
    "pk_" + "live_" + "51H8xYzAbCdEfGhIj",
    "https://hooks.slack.com/services/${Path}",
    "https://hooks.slack.com/services/$SLACK_PATH",
    "https://api.slack.com/services/T01ABCDEF",
    "eyJhbGciOiJIUzI1NiJ9",
    "key-value",
    "api-key-of-the-shop",
    "postgres://${User}:${Password}@${Host}/app",
    f"postgres://app:{RESOLVED}@host",
    "postgres://app:$PASSWORD@host",
    "postgres://app:<password>@host",
    "postgres://app@host:5432/app",
    "https://example.com:8443/me@example.com",
    "Server=db;Database=app;Integrated Security=true",
    "Server=db;User Id=app;Password=${Password};",
    f"Server=db;User Id=app;Password={RESOLVED};",
    "Server=db;User Id=app;Password=<password>;",
    "Server=db;User Id=app;Pwd=%DB_PASSWORD%",
    "host=db user=app password=$PASSWORD",
    "host=db user=app sslmode=require",
    "s3://bucket/key?versionId=1",
]

TEXTS = [
    '{"password": "hunter22"}',
    '{"user": "app", "db": {"port": 5432, "dbPass":"hunter22"}}',
    '{"user": "${Name}", "api_key": "hunter22"}',
    '{"users": [{"name": "app", "secret" : "hunter22"}]}',
    r'{"inner": "{\"password\": \"hunter22\"}"}',
    '{"password": "p@$$w0rd<1>"}',
    '[{"name": "DB_PASSWORD", "value": "hunter22", "type": "PLAINTEXT"}]',
    '{"environment": [{"name": "API_KEY", "value": "hunter22"}]}',
    '{"password":\n  "hunter22"}',
    "PASSWORD = 'hunter22'",
    'password: str = "hunter22"',
    'os.environ["DB_PASSWORD"] = "hunter22"',
    'os.getenv("DB_PASSWORD", "hunter22")',
    "define('DB_PASSWORD', 'hunter22');",
    "$config = array('password' => 'hunter22');",
    'const apiKey = "hunter22";',
    'password := "hunter22"',
    "<password>hunter22</password>",
    '<add key="DbPassword" value="hunter22" />',
    '<property name="connection.password" value="hunter22"/>',
]

NO_TEXTS = [
    "",
    "{}",
    '{"user": "app"}',
    f'{{"password": "{RESOLVED}"}}',
    '{"password": "${Password}"}',
    '{"password": "$PASSWORD"}',
    '{"password": "<password>"}',
    '{"password": "{{ password }}"}',
    '{"password": ""}',
    '{"password": {"type": "string", "format": "password"}}',
    '{"type": "password", "name": "field"}',
    '{"token": "$input.params(\'token\')"}',
    '{"token.$": "$.token", "taskToken.$": "$$.Task.Token"}',
    '{"passwordMinLength": "12", "token_ttl": "3600", "secretArn": "arn:aws:x"}',
    '{"secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"}',
    '[{"name": "DB_PASSWORD", "value": "app/db:password", "type": "SECRETS_MANAGER"}]',
    '[{"name": "DB_PASSWORD", "value": "hunter22", "type": "PARAMETER_STORE"}]',
    '[{"name": "DB_PASSWORD", "valueFrom": "arn:aws:x"}]',
    'password = os.environ["DB_PASSWORD"]',
    "password = get_secret('app')",
    'os.environ.get("DB_PASSWORD", "")',
    'if password == "":',
    'if (token === "abc") {',
    "Sends the token to the user, and the password never.",
    "password: at least 12 characters",
    "<password>${Password}</password>",
    '<input type="password" name="password">',
    '"^(?!.*password).*$"',
    f'{{"image": "{PICTURE}", "commit": "{COMMIT}", "id": "{UUID}"}}',
]

SCRIPTS = [
    *(text for text in TEXTS),
    "export DB_PASSWORD=hunter22",
    'dbpass="hunter22"',
    'PASSWORD="correct horse battery staple"',
    "PASSWORD='$ecret word'",
    'sh -c "DB_PASSWORD=hunter22 run"',
    "sh -c 'DB_PASSWORD=\"hunter22\" run'",
    "DB_PASSWORD=abc ./run",
    "run --password x",
    "run --password=hunter22",
    'run --password "hunter22"',
    "run --db-password hunter22 --verbose",
    "run --user app \\\n  --password \\\n  hunter22",
    '["run", "--password", "hunter22"]',
    "run --api-key hunter22",
    "run -password hunter22",
    "run --user --token hunter22",
    "echo $(run --password=hunter22)",
    "java -Dspring.datasource.password=hunter22 -jar app.jar",
    "kubectl create secret generic db --from-literal=password=hunter22",
    "helm install app --set auth.password=hunter22,auth.user=app",
    "docker run -e DB_PASSWORD=hunter22 app",
    "docker login -u app -p hunter22 registry.example.com",
    "docker login -u app -phunter22",
    "helm registry login -u app -p hunter22 example.com",
    "echo hunter22 | docker login -u app --password-stdin",
    "mysql -u root -phunter22 app",
    "mysql -uroot -p'hunter22' -e 'select 1'",
    'mysqldump -h db -p"hunter22" app',
    "MYSQL_PWD=hunter22 mysql app",
    "PGPASSWORD=hunter22 psql",
    "mongosh -u app -p hunter22",
    "sqlcmd -S db -U app -P hunter22",
    "redis-cli -a hunter22 ping",
    "redis-cli -h cache -a x",
    "redis-server --requirepass hunter22",
    "requirepass hunter22",
    "sshpass -p hunter22 ssh app@host",
    "curl -u app:hunter22 https://example.com",
    "curl --user app:hunter22 https://example.com",
    "curl -H 'Authorization: Bearer hunter22abc' https://example.com",
    'curl -H "X-Api-Key: hunter22" https://example.com',
    "ldapsearch -D cn=app -w hunter22",
    "unzip -P hunter22 app.zip",
    "openssl rsa -in key.pem -passin pass:hunter22",
    "htpasswd -bc /etc/nginx/users app hunter22",
    "rabbitmqctl add_user app hunter22",
    "net user app hunter22 /add",
    "echo 'ubuntu:hunter22' | chpasswd",
    "echo hunter22 | passwd --stdin app",
    "echo hunter22 | sudo -S ls",
    "aws secretsmanager create-secret --name app --secret-string hunter22",
    "aws configure set aws_secret_access_key ab12/cd34+ef56",
    "mysql -e \"ALTER USER 'app'@'%' IDENTIFIED BY 'hunter22'\"",
    "psql -c \"CREATE USER app WITH PASSWORD 'hunter22'\"",
    "machine example.com login app password hunter22",
    "ConvertTo-SecureString 'hunter22' -AsPlainText -Force",
    '$Password = "hunter22"',
    '$env:DB_PASSWORD = "hunter22"',
    "echo ${DB_PASSWORD:-hunter22}",
    "password = hunter22",
    "[client]\nuser = app\npassword = supersecret\n",
    "cat > /etc/app.ini <<EOF\n[db]\npassword = hunter22 ; for now\nEOF\n",
    "aws_secret_access_key = ab12/cd34+ef56",
    "#cloud-config\nwrite_files:\n  - db_password: hunter22\n",
    "db:\n  password: 'hunter22'  # for now\n",
    "env:\n  - name: DB_PASSWORD\n    value: hunter22\n",
    "stringData:\n  password: aHVudGVyMjI=\n",
    "ENV DB_PASSWORD hunter22",
    "ENV DB_PASSWORD=hunter22",
    "fastcgi_param DB_PASSWORD hunter22;",
    "//registry.npmjs.org/:_authToken=abcdef12",
    "sed -i 's/__DB_PASSWORD__/hunter22/' /etc/app.conf",
    'sed -i "s|password_here|hunter22|g" wp-config.php',
    "mysqladmin -u root password hunter22",
    "mysql -e \"SET PASSWORD FOR app = PASSWORD('hunter22')\"",
    'GRANT ALL ON *.* TO app IDENTIFIED BY "hunter22";',
    "aws ssm put-parameter --name /app/db --type SecureString --value hunter22",
    "vault login hunter22",
    "useradd -p $(openssl passwd -1 hunter22) app",
    "chpasswd <<< 'app:hunter22'",
    "smbclient //host/share -U app%hunter22",
    '{"auths": {"example.com": {"auth": "aHVudGVyMjI="}}}',
    "npm set _auth=aHVudGVyMjI=",
    ':password => "hunter22"',
    "cmdkey /add:host /user:app /pass:hunter22",
    "location / { fastcgi_param API_KEY hunter22; }",
    'proxy_set_header Authorization "Bearer hunter22";',
    "DB_PASSWORD=$(echo hunter22)",
    "DB_PASSWORD=`echo hunter22`",
    "DB_PASSWORD=`echo aHVudGVyMjI= | base64 -d`",
    "mount -t cifs -o username=app,password=hunter22 //host/share /mnt",
]

NO_SCRIPTS = [
    *(text for text in NO_TEXTS),
    "DB_PASSWORD=$(aws secretsmanager get-secret-value --secret-id app --query SecretString --output text)",
    "DB_PASSWORD=`cat /run/secrets/db`",
    'DB_PASSWORD="$(cat /run/secrets/db)"',
    "DB_PASSWORD=$DB_PASSWORD ./run",
    'DB_PASSWORD="${DB_PASSWORD}" ./run',
    "DB_PASSWORD=prefix-$SUFFIX ./run",
    "HASHED_PASSWORD=$(echo -n $PASSWORD | argon2 salt -e)",
    '{"token": "Bearer <token>"}',
    "echo ${DB_PASSWORD:?must be set} ${TOKEN:-} ${TOKEN:-$OTHER}",
    "PASSWORD_MIN_LENGTH=12\nTOKEN_TTL=3600\nKEY_PREFIX=a/\nPASSWORD_FILE=/run/secrets/x\nBYPASS=health",
    "SECRET_ARN=arn:aws:secretsmanager:eu-west-1:123456789012:secret:x",
    "run --password $DB_PASSWORD",
    'run --password "$DB_PASSWORD" --verbose',
    "run --password '${DB_PASSWORD}'",
    "run --password <password>",
    "run --password-stdin app",
    "run --password-file /run/secrets/x",
    "run --password --verbose",
    "run --no-password app",
    "run --token-ttl 3600 --client-token abc --secret-id app",
    "docker build --secret id=npm,src=.npmrc .",
    "docker login -u app -p $PASSWORD",
    "docker login --username AWS --password-stdin example.com",
    "aws ecr get-login-password | docker login --username AWS --password-stdin example.com",
    "echo $TOKEN | docker login -u app --password-stdin",
    "docker run -p 8080:80 app",
    "mkdir -p /opt/app",
    "mysql -h db -P 3306 -u app -p app",
    "mysql -u app -p$DB_PASSWORD app",
    'mysql -u app -p"${DB_PASSWORD}" app',
    "mysql --protocol=tcp -u app",
    "mysql_secure_installation && cp -p a b",
    "redis-cli -a $REDIS_PASSWORD ping",
    "redis-cli -h cache ping",
    "curl -u app: https://example.com",
    'curl -u "app:$PASSWORD" https://example.com',
    'curl -H "Authorization: Bearer $TOKEN" https://example.com',
    'curl -H "X-aws-ec2-metadata-token: $TOKEN" -H "X-aws-ec2-metadata-token-ttl-seconds: 21600"',
    "TOKEN=`curl -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 21600'`",
    "sed -i 's/PasswordAuthentication yes/PasswordAuthentication no/' /etc/ssh/sshd_config",
    "PasswordAuthentication no\nPermitEmptyPasswords no\nPubkeyAuthentication yes",
    "passwd -l root && usermod -p '*' ec2-user",
    "lock_passwd: true\nssh_pwauth: false\nchpasswd: { expire: False }",
    "useradd -m app && chage -M 90 app",
    "read -s -p 'Password: ' password",
    "echo 'Enter your password: '",
    "proxy_pass http://backend;",
    "proxy_set_header Authorization $http_authorization;",
    "# password=hunter22",
    "token = get_token()\nconnect(password=db_password)",
    "connect(user=user, password=password, token=token)",
    "self.password = password",
    "password = config.db.password",
    "password: event.password",
    "password: string",
    "aws secretsmanager get-random-password --password-length 32",
    "aws kms decrypt --key-id alias/app --ciphertext-blob fileb:///tmp/x",
    "gpg --import key.asc; apt-key add -; rpm --import RPM-GPG-KEY-amazon",
    "git checkout " + COMMIT,
    "ALTER USER app WITH PASSWORD '${PASSWORD}'",
    "env:\n  - name: DB_PASSWORD\n    valueFrom:\n      secretKeyRef:\n        name: db\n        key: password\n",
    "existingSecret: app-db\nimagePullSecrets:\n  - name: registry",
    "keytab=/etc/krb5.keytab\nkey = value\nkeys: 4",
    "compass=north; author=me; monkey=1",
]


@pytest.mark.parametrize("written", NAMED)
def test_a_value_whose_name_promises_a_secret_is_one(written: str) -> None:
    assert is_plain_secret(*written.split("=", 1))


@pytest.mark.parametrize("written", NOT_NAMED)
def test_another_name_or_what_stands_for_a_value_is_none(written: str) -> None:
    assert not is_plain_secret(*written.split("=", 1))


@pytest.mark.parametrize(("text", "what"), FORMS)
def test_a_known_form_is_found_anywhere(text: str, what: str) -> None:
    assert credentials(text) == [what]
    assert credentials(f"see '{text}' there") == [what]


@pytest.mark.parametrize("text", NO_FORMS)
def test_other_text_has_no_known_form(text: str) -> None:
    assert credentials(text) == []


@pytest.mark.parametrize("text", TEXTS)
def test_an_assignment_in_a_text_is_found(text: str) -> None:
    assert secrets_in_text(text)


@pytest.mark.parametrize("text", NO_TEXTS)
def test_other_text_assigns_no_secret(text: str) -> None:
    assert secrets_in_text(text) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_secret_in_a_script_is_found_and_not_repeated(script: str) -> None:
    found = secrets_in_script(script)
    assert found
    assert not any(value in " ".join(found) for value in ("hunter22", "ab12", "aHVud", "battery", "supersecret"))


@pytest.mark.parametrize("script", NO_SCRIPTS)
def test_other_scripts_hold_no_secret(script: str) -> None:
    assert secrets_in_script(script) == []


def test_what_is_found_is_told_by_its_name_once() -> None:
    script = "DB_PASSWORD=hunter22\nDB_PASSWORD='hunter23'\nrun --api-key abc\nmysql -phunter22\n"
    assert secrets_in_script(script) == [
        "the password of a database",
        "the value of DB_PASSWORD",
        "the value of api-key",
    ]


@pytest.mark.parametrize(
    "unit",
    [
        "a", " ", "=", "-", "--", "'", '"', "\\", "$", ".", "/", "\t", "\n", "x", "arn:", "a.", "a:", "a=b;", "<a>",
        "password", "password=", "password ", "--password ", "PASSWORD '", "PASSWORD=$(echo ", "-p ", "key: ", "a = ",
        "[a]\n", "server=a;", "host=a ", "://a", "https://a:", "eyJa", "mysql ", "docker login ", "curl -u ", "echo a ",
        "login a ", "put-parameter ", '"auths":', "s/a/", "${a:-", '"a":', '{"name":"a","value":', "-----BEGIN A ",
    ],
)  # fmt: skip
def test_the_time_grows_with_the_text_only(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    credentials(text)
    secrets_in_script(text)
    is_plain_secret(text[:5_000], text)
    assert time.process_time() - start < 2
