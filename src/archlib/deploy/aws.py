"""Sessions: which account, which region, with whose credentials."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

from archlib.errors import CredentialsError, Problem

_HINT = "log in (aws sso login, or set AWS_PROFILE), or try it on this machine with --local"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the credentials belong to.

    Attributes:
        account: twelve digits.
        arn: of the user or role.
        partition: ``aws``, ``aws-cn`` ...
    """

    account: str
    arn: str
    partition: str


class Aws:
    """Clients for one account; safe to use from several threads.

    Args:
        region: where stacks go that do not say otherwise; None: what the profile or the environment says.
        profile: of the AWS configuration; None: what the environment says.
        assume_role: ARN of a role to take on.
        endpoint: URL that answers instead of AWS, without real credentials.

    Raises:
        CredentialsError: there is no such profile, or no region.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        profile: str | None = None,
        assume_role: str | None = None,
        endpoint: str | None = None,
    ) -> None:
        self._profile = profile
        self._role = assume_role
        self.endpoint = endpoint
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._identity: Identity | None = None
        # boto3 itself reads AWS_DEFAULT_REGION only; every other tool of AWS reads this one, too.
        self._session = self._login(region or os.environ.get("AWS_REGION"))
        if not self._session.region_name:
            advice = (
                "set AWS_REGION or region in the file's targets, give --region, or try it on this machine with --local"
            )
            raise CredentialsError(f"no region is known; {advice}")
        self.region: str = self._session.region_name

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client of ``service``, the same at every call."""
        from botocore.config import Config  # noqa: PLC0415  (slow to import)

        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                # The deployer retries calls to CloudFormation itself: a write that may have happened must be looked
                # at before it is repeated, and every attempt has to keep the pace.
                attempts = 1 if service == "cloudformation" else 10
                retries: Any = {"mode": "standard", "total_max_attempts": attempts}
                settings: Any = {"addressing_style": "path"} if self.endpoint else None
                config = Config(
                    retries=retries, connect_timeout=10, read_timeout=60, tcp_keepalive=True, s3=settings,
                    max_pool_connections=100,
                )  # fmt: skip
                self._clients[key] = self._session.client(
                    service, region_name=key[1], config=config, endpoint_url=self.endpoint
                )
            return self._clients[key]

    def identity(self) -> Identity:
        """Return whose credentials these are; asked once.

        Raises:
            CredentialsError: there are none, or they are not valid.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        with self._lock:
            if self._identity is None:
                try:
                    answer = self.client("sts").get_caller_identity()
                except (BotoCoreError, ClientError) as error:
                    raise CredentialsError(f"AWS does not know who asks: {error}; {_HINT}") from None
                self._identity = Identity(answer["Account"], answer["Arn"], answer["Arn"].split(":")[1])
            return self._identity

    def renew(self) -> None:
        """Read the credentials again: from files, processes and the environment.

        Raises:
            CredentialsError: they are another account's now.
        """
        with self._lock:
            before, self._identity = self._identity, None
            self._clients.clear()
            self._session = self._login(self.region)
            try:
                now = self.identity()
            except CredentialsError:
                self._identity = before  # not valid yet: whoever calls next will see
                return
            if before is not None and now.account != before.account:
                self._identity = before
                raise CredentialsError(f"the credentials are of account {now.account} now, not of {before.account}")

    def seconds_left(self) -> float | None:
        """Return how long the credentials still hold, or None if they renew themselves or do not say."""
        credentials: Any = self._session.get_credentials()
        expires = getattr(credentials, "_expiry_time", None)
        if expires is None or hasattr(credentials, "_refresh_using"):
            return None
        from datetime import UTC, datetime  # noqa: PLC0415

        return float((expires - datetime.now(UTC)).total_seconds())

    def _login(self, region: str | None) -> Any:
        try:
            import boto3  # noqa: PLC0415  (slow to import)
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415
        except ImportError:
            raise CredentialsError('boto3 is not installed; install it with: pip install "archlib[deploy]"') from None
        try:
            if self.endpoint:
                local = region or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
                return boto3.Session("test", "test", region_name=local)
            session = boto3.Session(profile_name=self._profile, region_name=region)
            return _assume(session, self._role) if self._role else session
        except BotoCoreError as error:
            raise CredentialsError(Problem(f"{error}; {_HINT}")) from None


def _assume(session: Any, role: str) -> Any:
    """Return a session that takes on ``role`` and renews itself."""
    import boto3  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials  # noqa: PLC0415

    inner: Any = botocore.session.get_session()
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=session.client,
        source_credentials=session.get_credentials(),
        role_arn=role,
        extra_args={"RoleSessionName": "archlib"},
    )
    inner._credentials = DeferredRefreshableCredentials(  # noqa: SLF001  (botocore has no public way in)
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return boto3.Session(botocore_session=inner, region_name=session.region_name)
