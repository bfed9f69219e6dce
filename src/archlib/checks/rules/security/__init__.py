"""Our own rules for mistakes in security and operation that scanners do not see."""

from archlib.checks.rules.security.cors import Cors
from archlib.checks.rules.security.data_trace import DataTrace
from archlib.checks.rules.security.dead_letters import DeadLetters
from archlib.checks.rules.security.deletion_policy import DeletionPolicy
from archlib.checks.rules.security.deletion_protection import DeletionProtection
from archlib.checks.rules.security.delivery_policy import DeliveryPolicy
from archlib.checks.rules.security.event_source_key import EventSourceKey
from archlib.checks.rules.security.execute_command import ExecuteCommand
from archlib.checks.rules.security.failure_rights import FailureRights
from archlib.checks.rules.security.flow_log import FlowLog
from archlib.checks.rules.security.http_subscription import HttpSubscription
from archlib.checks.rules.security.inline_policy import InlinePolicy
from archlib.checks.rules.security.invocation_permission import InvocationPermission
from archlib.checks.rules.security.key_for_service import KeyForService
from archlib.checks.rules.security.leaked_credential import LeakedCredential
from archlib.checks.rules.security.open_administration import OpenAdministration
from archlib.checks.rules.security.open_port import OpenPort
from archlib.checks.rules.security.plaintext_secret import PlaintextSecret
from archlib.checks.rules.security.public_database import PublicDatabase
from archlib.checks.rules.security.public_function import PublicFunction
from archlib.checks.rules.security.public_policy import PublicPolicy
from archlib.checks.rules.security.resource_star import ResourceStar
from archlib.checks.rules.security.role_trusts_account import RoleTrustsAccount
from archlib.checks.rules.security.role_trusts_everyone import RoleTrustsEveryone
from archlib.checks.rules.security.secret_in_environment import SecretInEnvironment
from archlib.checks.rules.security.secret_in_script import SecretInScript
from archlib.checks.rules.security.service_actions import ServiceActions
from archlib.checks.rules.security.unencrypted_storage import UnencryptedStorage
from archlib.checks.rules.security.unlimited_actions import UnlimitedActions
from archlib.checks.rules.security.unlimited_pass_role import UnlimitedPassRole

RULES = (
    PlaintextSecret,
    LeakedCredential,
    SecretInScript,
    SecretInEnvironment,
    RoleTrustsEveryone,
    PublicPolicy,
    PublicFunction,
    PublicDatabase,
    OpenAdministration,
    HttpSubscription,
    UnlimitedActions,
    UnlimitedPassRole,
    InvocationPermission,
    DeliveryPolicy,
    KeyForService,
    EventSourceKey,
    FailureRights,
    DeletionPolicy,
    DeletionProtection,
    DeadLetters,
    Cors,
    DataTrace,
    ExecuteCommand,
    FlowLog,
    RoleTrustsAccount,
    ServiceActions,
    ResourceStar,
    InlinePolicy,
    OpenPort,
    UnencryptedStorage,
)
