"""Tells secrets that are written out from what only looks like one: by their form, or by the name they are given to."""

from __future__ import annotations

import re

RESOLVED_SECRET = re.compile(r"\{\{resolve:(?:secretsmanager|ssm-secure):")
"""A dynamic reference that CloudFormation replaces by a secret."""

# --- What is a secret wherever it stands ---

# What stands for a password, such as ${Password}, $PASSWORD, <password>, {password}, %s or xxx, is none.
_WRITTEN_OUT = r"(?![$<{\[*.%!]|x+(?:[&;@\s]|$))"
_ENTRY = (
    r"(?:server|data source|address|addr|host|dbname|database|initial catalog|user id|uid|user|username|driver"
    r"|accountname|endpoint|sharedaccesskeyname)"
)
_FORMS = {
    # AWS's documentation uses ids that end so.
    "an AWS access key": r"\b(?:AKIA|ASIA)(?!\w{9}EXAMPLE\b)[A-Z0-9]{16}\b",
    "a private key": (
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d|AGE-SECRET-KEY-1[A-Z0-9]{58}"
        # The same first lines in Base64: PKCS#8 plain and encrypted, RSA, EC, DSA, OpenSSH, PGP.
        r"|LS0tLS1CRUdJTi(?:BQUklWQVRFIEtFW|BFTkNSWVBURUQgUFJJVkFURSBLRV|BSU0EgUFJJVkFURSBLRV|BFQyBQUklWQVRFIEtFW"
        r"|BEU0EgUFJJVkFURSBLRV|BPUEVOU1NIIFBSSVZBVEUgS0VZ|BQR1AgUFJJVkFURSBLRV)"
    ),
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})",
    "a GitLab token": r"\bgl(?:pat|ptt|rt|dt|agent)-[\w-]{20}",
    "a Slack token": r"\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}",
    "a webhook with its secret": (
        r"\bhooks\.slack(?:-gov)?\.com/(?:services/T\w{2,}/B\w{2,}/\w{8,}|(?:triggers|workflows)/T\w{2,}/[\w/]{16,})"
        r"|\bdiscord(?:app)?\.com/api/webhooks/\d{15,}/[\w-]{32,}"
        r"|\bwebhook\.office\.com/webhookb2/[\w@-]{36,}/IncomingWebhook/\w{16,}"
    ),
    "a Stripe key": r"\b(?:[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/]{24,})",
    "a JSON web token": r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",
    "a Google key": r"\bAIza[\w-]{35}(?![\w-])|\bGOCSPX-[\w-]{28}(?![\w-])",
    "an npm, PyPI or Docker token": r"\b(?:npm_[A-Za-z0-9]{36}\b|pypi-AgEI[\w-]{50,}|dckr_(?:pat|oat)_[\w-]{20,})",
    "a SendGrid or Mailgun key": r"\bSG\.[\w-]{22}\.[\w-]{43}|\bkey-[0-9a-f]{32}\b",
    "a key of an AI service": (
        r"\bsk-(?:(?:proj|svcacct|admin|ant)-[\w-]{20,}|\w{20}T3BlbkFJ\w{20})|\bhf_[A-Za-z]{34}\b"
    ),
    "a token of a service": (
        r"\b(?:do[oprt]_v1_[0-9a-f]{64}|hv[sbr]\.[\w-]{24,}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|glsa_\w{32,}"
        r"|lin_api_\w{40}|NRAK-[A-Z0-9]{27}|dapi[0-9a-f]{32}\b|tskey-[a-z]{3,16}-\w{8,}|dp\.(?:pt|st)\.[\w.]{40,}"
        r"|\d{8,10}:AA[\w-]{33}(?![\w-]))"
    ),
    "a URL or connection string with a password": (
        rf"""(?i:[a-z]://[^\s:/@?#"'`<>]{{0,64}}:{_WRITTEN_OUT}[^\s/@?#"'`<>{{}}]{{1,128}}@[\w$\[{{.-]"""
        rf"""|[a-z]://[^\s"'`<>]{{1,512}}?[?&;](?:password|pwd)={_WRITTEN_OUT}[^\s&;"'`<>{{}}]+"""
        rf"""|\b{_ENTRY}[ ]?=[^;\n]{{1,128}};(?:[^;\n]{{0,128}};){{0,12}}?"""
        rf"""[ ]*(?:password|pwd|accountkey|sharedaccesskey)[ ]?=[ ]?["']?{_WRITTEN_OUT}[^\s;"'`<>{{}}]+"""
        rf"""|(?:\b|_)(?:password|pwd)[ ]?=[ ]?["']?{_WRITTEN_OUT}[^\s;"'`<>{{}}]{{1,128}}+;[ ]*{_ENTRY}[ ]?="""
        rf"""|\b(?:host|user|dbname)=\S{{1,128}}(?:[ ]\w{{1,32}}=\S{{1,128}}){{0,8}}?[ ]password="""
        rf"""{_WRITTEN_OUT}[^\s"'`<>{{}}]+)"""
    ),
}
_CREDENTIALS = {what: re.compile(pattern) for what, pattern in _FORMS.items()}


def credentials(text: str) -> list[str]:
    """Return what credentials of a known form ``text`` contains."""
    return [what for what, pattern in _CREDENTIALS.items() if pattern.search(text)]


# --- What is a secret by its name ---

# Words such as bypass and compass end so too.
_PASSWORDS = (
    r"passwords?|passwd|passphrase|passcode|pwd|(?<![a-z])pw"
    r"|(?<!by)(?<!com)(?<!tres)(?<!over)(?<!under)(?<!sur)(?<!proxy_)pass"
)
# Keys of these kinds may also be referred to, such as a KMS key by its id.
_KEYS = (
    r"(?:sign|signing|signature|encrypt|encryption|decryption|crypto|cipher|hmac|jwt|fernet|master|auth|shared"
    r"|license|account|app|application|webhook)_?key"
)
_WORDS = (
    rf"(?:{_PASSWORDS}|secret|token|api_?key|private_?key|secret_?key(?:_?base)?|access_?key|{_KEYS}"
    r"|credentials?|(?:redis|rediscli|basic)_?auth)"
)
_SUFFIXES = r"(?:_?(?:value|plain|plain_?text|base64|b64)|_(?:prod|dev|test|staging|here|placeholder|\d{1,3})|\d{1,3})?"
_SECRET_NAME = re.compile(rf"\w*{_WORDS}{_SUFFIXES}", re.IGNORECASE)
_PASSWORD_NAME = re.compile(rf"\w*(?:{_PASSWORDS}){_SUFFIXES}", re.IGNORECASE)
_KEY_NAME = re.compile(rf"\w*{_KEYS}{_SUFFIXES}", re.IGNORECASE)
_NO_SECRET_NAME = re.compile(
    r"(?-i:(?:OLD)?PWD)|no_.*|removeprivatekey|.*(?:public_?(?:api_?)?key|(?:existing|pull)_?secret"
    r"|(?:client|service|event_?source|billing|version|next|task|request|continuation|starting|page|sync)_?token)",
    re.IGNORECASE,
)
_SWITCHES = (
    r"true|false|yes|no|on|off|y|n|none|null|nil|undefined|enabled?|disabled?|required|optional|mandatory|default"
    r"|auto|automatic|always|never|prompt|ask|interactive|stdin|seconds|minutes|hours|days|include|omit|same-origin"
    r"|plain(?:text)?|str|string|bool|boolean|int|integer|number|\d{1,3}|md5|sha-?(?:1|256|384|512)"
    r"|scram(?:-sha-256)?|bcrypt|argon2(?:id?)?|ldap|iam|mysql_native_password|caching_sha2_password"
)
_PLACEHOLDERS = (
    r"(?:bearer |basic )?<+[^<>]*>+|\[[^\[\]]*\]|\{[^{}]*\}|%\w+%|\$[{(]?\w+[)}]?|\$\{!?[^{}]*\}"
    r"|x{3,}|\.{2,}|[*•]+|your[-_ ][\w -]+"
)
# What is computed or read, and where it is.
_ELSEWHERE = (
    r"\{\{|\{%|\$\(|\$\{!?\w+:|[$%]env:|%[(s]|=|\\|arn:|[a-z][a-z\d+.-]*://|/[\w.-]*/|\.{1,2}/|~/|[a-z]:\\"
    r"|[\w.-]+\.(?:pem|key|crt|cer|p8|p12|pfx|jks|asc|pub)$"
)
_NO_SECRET = re.compile(rf"(?:{_SWITCHES}|{_PLACEHOLDERS})$|{_ELSEWHERE}", re.IGNORECASE)
_PATH_LIKE = re.compile(r"[\w.-]+(?:/[\w.-]+)+")
_KEY_ELSEWHERE = re.compile(
    r"(?i:alias/.+|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|mrk-[\da-f]{32})|[a-z\d._-]+(?:/[a-z\d._-]+)+"
)
_AMOUNT = re.compile(r"\d+(?:ms|[smhd])?")


def is_password_name(name: str) -> bool:
    """Whether ``name`` promises a password."""
    return _PASSWORD_NAME.fullmatch(_last(name)) is not None


def is_plain_secret(name: str, written: str) -> bool:
    """Whether ``name`` promises a secret and ``written`` is one."""
    name, written = _last(name), written.strip()
    if not _SECRET_NAME.fullmatch(name) or _NO_SECRET_NAME.fullmatch(name):
        return False
    if not written or "{{resolve:" in written or _NO_SECRET.match(written):
        return False
    last = name.lower()
    if last.endswith("token") and _AMOUNT.fullmatch(written):
        return False
    if _KEY_NAME.fullmatch(name) and _KEY_ELSEWHERE.fullmatch(written):
        return False
    # The name of a secret is none.
    return not (last.endswith(("secret", "credential", "credentials")) and _PATH_LIKE.fullmatch(written))


def _last(name: str) -> str:
    """Return the last part of a dotted name, written with ``_``."""
    return name.rpartition(".")[2].replace("-", "_").replace(" ", "_").strip("_")


# --- What is assigned in a text ---

# The name may be any; whether it promises a secret is asked of what was found. Values are looked at and not taken, so
# that an assignment inside a value is found too. All lengths are bounded, so that the time grows with the text only.
_NAME = r"(?P<name>[\w.-]{1,80})"
_DOLLAR = r"\$\$|\$(?![\w{(!?*@#-])"
_BARE = rf"""(?P<value>(?:[^\s"'`$<>{{}}()\[\]|&;,\\]|{_DOLLAR}){{1,256}}+)(?![$`<{{(\[])"""
_QUOTED = rf"""(?P<value>(?:[^\s"'`${{}}\\]|{_DOLLAR}){{1,256}}+)"""
_SPACED = rf"""(?P<value>(?:[^\n"`${{}}\\]|{_DOLLAR}){{3,256}}+)"""
_LITERAL = r"(?P<value>[^\n'{}\\]{3,256}+)"
_ECHOED = r"""(?P<value>[^\s"'`$()/|#,@&\\]{1,256}+)"""
_Q = r"""\\{0,3}["']"""
_S = r"\s{0,40}"

# Those that look the same in every language, each with an example.
_ASSIGNED = (
    (
        """password = "x", password: str = "x", os.environ["PASSWORD"] = "x" """,
        (
            rf"""(?<![\w.-]){_NAME}["']?\]?(?:[ \t]*:[ \t]\w{{1,20}})?[ \t]*(?::?=|=>)[ \t]*"""
            rf"""(?P<quote>["'])(?={_QUOTED}(?P=quote))"""
        ),
    ),
    (
        """{"password": "x"}, also in other JSON; array("password" => "x")""",
        rf"{_Q}{_NAME}{_Q}{_S}(?::|=>){_S}{_Q}(?={_QUOTED}{_Q})",
    ),
    (
        """{"name": "PASSWORD", "value": "x"}""",
        (
            rf"{_Q}(?:[Nn]ame|[Kk]ey){_Q}{_S}:{_S}{_Q}{_NAME}{_Q}{_S},{_S}{_Q}[Vv]alue{_Q}{_S}:{_S}{_Q}"
            rf"(?={_QUOTED}{_Q}(?!{_S},{_S}{_Q}[Tt]ype{_Q}{_S}:{_S}{_Q}(?:SECRETS|PARAMETER)))"
        ),
    ),
    ("<password>x</password>", r"<(?P<name>[\w.-]{1,80})>(?=(?P<value>[^\s<>{}$]{1,256}+)</(?P=name)>)"),
    ("""<add key="password" value="x"/>""", rf"""\b(?:name|key)="{_NAME}"[ \t]+value="(?={_QUOTED}")"""),
    (
        """define("PASSWORD", "x"), getenv("PASSWORD", "x")""",
        (
            r"\b(?:define|getenv|get|setdefault|putenv|setenv|setProperty|SetEnvironmentVariable)"
            rf"""\([ \t]*["']{_NAME}["'][ \t]*,[ \t]*["'](?={_QUOTED}["'])"""
        ),
    ),
)
# Those of shells and configuration files; in other code, what is not in quotes is an expression.
_ASSIGNED_BARE = (
    ("PASSWORD=x", rf"""(?<![\w.-]){_NAME}=["']?(?={_BARE}(?!\)|,(?:[ \t]|$)))"""),
    ("""PASSWORD="x y" """, rf'(?<![\w.-]){_NAME}="(?={_SPACED}")'),
    ("PASSWORD='x $y'", rf"(?<![\w.-]){_NAME}='(?={_LITERAL}')"),
    ("${PASSWORD:-x}", rf"\$\{{!?{_NAME}:?[-=](?={_BARE}\}})"),
    (
        """--password x, --password=x, "--password", "x" """,
        (
            rf"""(?<![\w-])-{{1,2}}{_NAME}(?:=|["']?,\s{{0,40}}|[ \t]{{1,8}}(?:\\\n[ \t]{{0,40}})?)["']?"""
            rf"(?!-|\w{{1,20}}=\w)(?={_BARE})"
        ),
    ),
    (
        "password: x",
        (
            rf"""^[ \t]*(?:-[ \t]+)?["']?{_NAME}["']?[ \t]*:[ \t]+(?P<quote>["']?)(?!\w+(?:\.\w+)+[ \t]*$)"""
            rf"(?={_BARE}(?P=quote)[ \t]*(?:[ \t]#.*)?$)"
        ),
    ),
    (
        "name: PASSWORD, and below it value: x",
        rf"""^[ \t]*(?:-[ \t]+)?name:[ \t]+["']?{_NAME}["']?[ \t]*\n[ \t]*value:[ \t]+["']?(?={_BARE}["']?[ \t]*$)""",
    ),
    (
        "password = x1",
        rf"^[ \t]*{_NAME}[ \t]*=[ \t]*(?=[A-Za-z_.]*+[^\sA-Za-z_.])(?={_BARE}[ \t]*(?:[ \t][#;].*)?$)",
    ),
    (
        "ENV PASSWORD x",
        (
            r"(?:^|[;{])[ \t]*(?:ENV|ARG|SetEnv|setx|fastcgi_param|set|aws configure set)[ \t]+"
            rf"""["']?{_NAME}["']?[ \t]+["']?(?={_BARE})"""
        ),
    ),
    ("-H 'X-Api-Key: x'", rf"""["']{_NAME}:[ \t]*(?={_BARE}["'])"""),
    ("/password:x", rf"""[ \t]/{_NAME}:["']?(?={_BARE})"""),
    (
        "PASSWORD=$(echo x)",
        (
            rf"""(?<![\w.-]){_NAME}=["']?(?:\$\(|`)[ \t]*(?:echo|printf)[ \t]+(?:-n[ \t]+)?"""
            rf"""["']?(?!-)(?={_ECHOED}[)`|\s"'])"""
        ),
    ),
    (
        "sed s/PASSWORD/x/",
        rf"""\bs(?P<quote>[/|#,@])[{{<%@]{{0,2}}{_NAME}[}}>%@]{{0,2}}(?P=quote)(?={_ECHOED}(?P=quote))""",
    ),
)
# A word alone may be a variable of a program, unless it stands below the [section] of a configuration file.
_SECTION = re.compile(r"^[ \t]*\[\w[\w .:-]*\][ \t]*$", re.MULTILINE)
_ASSIGNED_BELOW_SECTION = (("password = x", rf"^[ \t]*{_NAME}[ \t]*=[ \t]*(?={_BARE}[ \t]*(?:[ \t][#;].*)?$)"),)

# What commands are given without a name. Case tells options apart, such as -p for a password from -P for a port.
_TO = r"[^\n|;&]{0,200}?[ \t]"
_GIVEN = (
    (
        "the password of an account",
        (
            r"\b(?:docker|podman|nerdctl|buildah|skopeo|crane|helm|oc|cf|az)[ \t]+(?:registry[ \t]+)?login"
            rf"""{_TO}-p[ \t=]*["']?(?={_BARE})"""
        ),
    ),
    (
        "the password of a database",
        rf"""\b(?:mysql|mariadb)(?:dump|admin|check|import|show|slap|-[a-z]{{1,16}})?{_TO}-p["']?(?={_BARE})""",
    ),
    (
        "the password of a database",
        rf"""\b(?:mongo(?:sh|dump|restore|export|import)?|cqlsh){_TO}-p[ \t]*["']?(?={_BARE})""",
    ),
    ("the password of a database", rf"""\bmysqladmin{_TO}password[ \t]+["']?(?={_BARE})"""),
    ("the password of a database", rf"""\b(?:sqlcmd|bcp){_TO}-P[ \t]*["']?(?={_BARE})"""),
    (
        "the password of a cache",
        rf"""\b(?:redis|valkey)-(?:cli|benchmark){_TO}(?:-a|AUTH|auth)[ \t]+["']?(?={_BARE})""",
    ),
    ("the password of a cache", rf"""(?:^[ \t]*|--)(?:requirepass|masterauth)[ \t=]+["']?(?={_BARE})"""),
    (
        "the password of a request",
        rf"""\bcurl{_TO}(?:-u|--user|--proxy-user)[ \t=]*["']?[^\s"'`$:]{{1,64}}:(?!//)(?={_BARE})""",
    ),
    (
        "an authorization header",
        rf"""\b[Aa]uthorization["']?(?::|[ \t])[ \t]*["']?(?:[Bb]earer|[Bb]asic|[Tt]oken)[ \t]+(?={_BARE})""",
    ),
    ("a password of SSH", rf"""\bsshpass[ \t]+-p[ \t]*["']?(?={_BARE})"""),
    ("a password of LDAP", rf"""\bldap(?:search|add|modify|delete|passwd|whoami){_TO}-w[ \t]*["']?(?={_BARE})"""),
    ("the password of an archive", rf"""\b(?:un)?zip[ \t](?:{_TO})?-P[ \t]*["']?(?={_BARE})"""),
    ("the password of a key", rf"""[ \t]-pass(?:in|out)?[ \t]+["']?pass:(?={_BARE})"""),
    (
        "the password of a user",
        (
            r"\b(?:htpasswd[ \t]+-[A-Za-z]{0,8}b[A-Za-z]{0,8}[ \t]+\S{1,200}"
            r"|rabbitmqctl[ \t]+(?:add_user|change_password)|net[ \t]+user)"
            rf"""[ \t]+[\w"'.@\\-]{{1,80}}[ \t]+["']?(?!/)(?={_BARE})"""
        ),
    ),
    (
        "the password of a user",
        rf"""\becho[ \t]+(?:-n[ \t]+)?["']?[\w-]{{1,64}}:(?={_BARE}["']?[ \t]*\|[ \t]*(?:sudo[ \t]+)?chpasswd)""",
    ),
    ("the password of a user", rf"""\bchpasswd[ \t]*<<<[ \t]*["']?[\w-]{{1,64}}:(?={_BARE})"""),
    ("the password of a user", rf"""\bopenssl[ \t]+passwd(?:[ \t]+-\w{{1,10}}){{0,4}}[ \t]+["']?(?!-)(?={_BARE})"""),
    (
        "a password that is piped",
        (
            rf"""\b(?:echo|printf)[ \t]+(?:-n[ \t]+)?["']?(?={_BARE}["']?[ \t]*\|[^\n|]{{0,200}}"""
            r"(?:--password-stdin|--stdin|sudo[ \t]+-S|--with-token))"
        ),
    ),
    ("a secure string", rf"""\bConvertTo-SecureString[ \t]+(?:-String[ \t]+)?["'](?={_BARE})"""),
    ("the string of a secret", rf"""--secret-string[ \t=]+["']?(?!file)(?={_BARE})"""),
    (
        "a value for Parameter Store",
        rf"""\bput-parameter(?=[^\n|;&]{{0,300}}SecureString){_TO}--value[ \t=]+["']?(?!file)(?={_BARE})""",
    ),
    (
        "a password in SQL",
        (
            r"(?i:\b(?:IDENTIFIED(?:[ \t]+WITH[ \t]+\w{1,40})?[ \t]+BY[ \t]+|PASSWORD(?:[ \t]+|[ \t]*[=(][ \t]*)))"
            rf"""\\{{0,3}}(?P<quote>["'])(?={_QUOTED}\\{{0,3}}(?P=quote))"""
        ),
    ),
    ("a token of Vault", rf"""\bvault[ \t]+login[ \t]+["']?(?!-|\w+=)(?={_BARE})"""),
    ("the password of a share", rf"""\bsmbclient{_TO}-U[ \t]*["']?[^\s%"']{{1,64}}%(?={_BARE})"""),
    (
        "the login of a registry",
        rf"""["']?auths["']?\s{{0,8}}:[^}}]{{0,300}}?["']auth["']\s{{0,8}}:\s{{0,8}}["'](?={_QUOTED})""",
    ),
    ("the login of a registry", rf"(?:^|[ \t:])_auth[ \t]*=[ \t]*(?={_BARE})"),
    ("the password of a machine", rf"\blogin[ \t]+\S{{1,80}}\s{{1,8}}password[ \t]+(?={_BARE})"),
)

_Table = tuple[tuple[str, re.Pattern[str]], ...]


def _compiled(*table: tuple[str, str]) -> _Table:
    return tuple((what, re.compile(pattern, re.MULTILINE)) for what, pattern in table)


_IN_TEXT = _compiled(*_ASSIGNED)
_IN_SCRIPT = _compiled(*_ASSIGNED, *_ASSIGNED_BARE)
_IN_SECTIONS = _compiled(*_ASSIGNED, *_ASSIGNED_BARE, *_ASSIGNED_BELOW_SECTION)
_BY_COMMANDS = _compiled(*_GIVEN)

_COMMENT = re.compile(r"^[ \t]*#(?!!).*$", re.MULTILINE)
_HINT = re.compile(r"pass|pwd|pw\b|secret|token|key|credential|auth|identified", re.IGNORECASE)


def secrets_in_text(text: str) -> list[str]:
    """Return what secrets are written out in ``text`` of any kind, such as JSON, by the names they are given to."""
    return sorted(_assigned(text, _IN_TEXT)) if _HINT.search(text) else []


def secrets_in_script(script: str) -> list[str]:
    """Return what secrets are written out in a shell script, a command or a configuration file."""
    code = _COMMENT.sub("", script)
    found = _assigned(code, _IN_SECTIONS if _SECTION.search(code) else _IN_SCRIPT) if _HINT.search(code) else set()
    found |= {
        what
        for what, pattern in _BY_COMMANDS
        if any(is_plain_secret("password", match["value"]) for match in pattern.finditer(code))
    }
    return sorted(found)


def _assigned(text: str, table: _Table) -> set[str]:
    return {
        f"the value of {match['name'].lstrip('-')}"
        for _, pattern in table
        for match in pattern.finditer(text)
        if is_plain_secret(match["name"], match["value"])
    }
