"""Every call to CloudFormation: paced, retried where that is safe, and its errors told apart."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoRegionError,
    ParamValidationError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError

from archlib.deploy.aws import Aws
from archlib.deploy.clock import Clock, Stop
from archlib.deploy.limiter import Limiter
from archlib.errors import AwsError, CredentialsError

_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"})
_LOGGED_OUT = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "UnrecognizedClientException",
        "AuthFailure",
    }
)
_SKEWED = frozenset({"RequestExpired", "SignatureDoesNotMatch", "RequestTimeTooSkewed"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_SHORTEST, _LONGEST = 1.0, 20.0
_SLOW = 60.0
_THROTTLED_PATIENCE = 900.0
_STOPPED_PATIENCE = 5.0
_HEALTH = "https://health.aws.amazon.com/health/status"


class ServiceError(AwsError):
    """The service refused a call.

    Attributes:
        code: its word for why, such as ``ValidationError``.
        message: its sentence.
    """

    def __init__(self, code: str, message: str, advice: str = "") -> None:
        super().__init__(f"{message}{advice}")
        self.code = code
        self.message = message


class DeniedError(ServiceError):
    """The caller may not do that."""


class UnreachableError(AwsError):
    """The service did not answer, or not in its language, for too long."""


class DoubtError(Exception):
    """A write got no answer: it may have happened or not."""


class Calls:
    """The calls of one run to CloudFormation in one account and region.

    Args:
        aws: whose account.
        region: which region.
        limiter: the pace.
        clock: what waits.
        stop: asks for an early end.
        note: is told what the user should know while it waits.
        patience: seconds for which reading goes on without an answer before anything was changed.
        redact: masks secrets in what the service says.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        region: str,
        limiter: Limiter,
        clock: Clock,
        stop: Stop,
        note: Callable[[str], None],
        patience: float = 120.0,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.aws = aws
        self.region = region
        self._limiter = limiter
        self._clock = clock
        self._stop = stop
        self._note = note
        self._patience = patience
        self._redact = redact

    def read(self, operation: str, *, patience: float | None = None, renew: float = 0.0, **parameters: Any) -> Any:
        """Ask something; asked again while there is no answer.

        Args:
            operation: name as boto3 has it, such as ``describe_stacks``.
            patience: seconds for which that goes on.
            renew: seconds for which expired credentials are read anew; only while watching, which lets others go first.
            **parameters: of the call.

        Raises:
            ServiceError: the service says no.
            CredentialsError: the credentials are not valid (any more).
            UnreachableError: there was no answer for too long.
        """
        began = self._clock.now()
        patience = self._patience if patience is None else patience
        pause, noted = _SHORTEST, False
        while True:
            try:
                return self._once(operation, parameters, patient=renew > 0)
            except _ThrottledError as error:
                # Being told to slow down is an answer: it ends some day.
                last: AwsError = UnreachableError(str(error))
                limit = max(patience, _THROTTLED_PATIENCE)
            except CredentialsError as error:
                last, limit = error, renew
                if renew:
                    self.aws.renew()
            except DoubtError as error:
                last, limit = UnreachableError(str(error)), patience
            waited = self._clock.now() - began
            if waited >= (min(limit, _STOPPED_PATIENCE) if self._stop.requested else limit):
                raise last
            if waited > _SLOW and not noted:
                noted = True
                self._note(f"no answer from CloudFormation for {waited:.0f} s ({last}); going on; AWS: {_HEALTH}")
            self._clock.sleep(random.uniform(pause / 2, pause))  # noqa: S311  (spreads calls, guards nothing)
            pause = min(pause * 2, _LONGEST)

    def write(self, operation: str, *, repeat: bool = False, **parameters: Any) -> Any:
        """Change something; repeated only while the service says that it did nothing.

        Args:
            operation: name as boto3 has it.
            repeat: doing it twice is the same as doing it once, so it is also repeated when there is no answer.
            **parameters: of the call.

        Raises:
            DoubtError: there was no answer: look before going on.
            ServiceError: the service says no.
            CredentialsError: the credentials are not valid.
            UnreachableError: the service has been refusing calls for too long.
        """
        began, pause = self._clock.now(), _SHORTEST
        while True:
            try:
                return self._once(operation, parameters)
            except _ThrottledError as error:
                last, limit = str(error), _THROTTLED_PATIENCE
            except DoubtError as error:
                if not repeat:
                    raise
                last, limit = str(error), self._patience
            if self._clock.now() - began > (min(limit, _STOPPED_PATIENCE) if self._stop.requested else limit):
                raise UnreachableError(last)
            self._clock.sleep(random.uniform(pause / 2, pause))  # noqa: S311
            pause = min(pause * 2, _LONGEST)

    def knows(self, operation: str, member: str) -> bool:
        """Return whether the installed botocore has the parameter ``member`` of ``operation`` (``CreateChangeSet``)."""
        model = self.aws.client("cloudformation", self.region).meta.service_model
        return operation in model.operation_names and member in model.operation_model(operation).input_shape.members

    def _once(self, operation: str, parameters: dict[str, Any], *, patient: bool = False) -> Any:
        client = self.aws.client("cloudformation", self.region)
        self._limiter.take(patient=patient)
        try:
            answer = getattr(client, operation)(**parameters)
        except ClientError as error:
            raise self._told(operation, error) from None
        except SSLError as error:
            message = f"the connection to AWS is not trusted: {error}"
            raise AwsError(f"{message}; if a proxy opens TLS, name its certificate in AWS_CA_BUNDLE") from None
        except (BotoConnectionError, HTTPClientError) as error:
            raise DoubtError(str(error)) from None
        except (ResponseParserError, KeyError) as error:
            # A page of a portal or proxy; one that happens to be XML misses the answer's element.
            raise DoubtError(f"the answer is not from AWS: {str(error)[:200]}") from None
        except ParamValidationError as error:
            message = self._redact(f"the installed boto3 does not know this call: {error}")
            raise AwsError(f"{message}; update it with: pip install --upgrade boto3") from None
        except (NoRegionError, BotoCoreError) as error:
            raise CredentialsError(f"no credentials for AWS: {error}") from None
        self._limiter.succeeded()
        return answer

    def _told(self, operation: str, error: ClientError) -> Exception:
        details: Any = error.response.get("Error", {})
        code, message = str(details.get("Code", "")), self._redact(str(details.get("Message", "")))
        http: Any = error.response.get("ResponseMetadata", {})
        if code in _THROTTLED or "Rate exceeded" in message:
            self._limiter.throttled()
            return _ThrottledError(f"CloudFormation says that it is called too often: {message}")
        if code in _LOGGED_OUT:
            return CredentialsError(f"the credentials are not valid: {message or code}; log in again")
        if code in _SKEWED:
            return AwsError(f"{message}{_skew(http.get('HTTPHeaders', {}).get('date', ''), self._clock.now())}")
        if code in _DENIED:
            return DeniedError(code, message, _allow(operation, message))
        if http.get("HTTPStatusCode", 0) >= 500:  # noqa: PLR2004
            return DoubtError(f"{code}: {message}")
        return ServiceError(code, message)


class _ThrottledError(Exception):
    """The service did nothing, because it was called too often."""


def _skew(date: str, now: float) -> str:
    try:
        offset = now - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return "; check this machine's clock and the secret key"
    if abs(offset) < 60:  # noqa: PLR2004
        return "; check the secret key"
    return f"; this machine's clock is {abs(offset):.0f} s {'fast' if offset > 0 else 'slow'}: set it"


def _allow(operation: str, message: str) -> str:
    found = re.search(r"perform:? (\S+) on resource:? (\S+)", message)
    action = found[1] if found else "cloudformation:" + "".join(part.title() for part in operation.split("_"))
    return f"; allow {action}{f' on {found[2]}' if found else ''} (archlib policy prints all that is needed)"
