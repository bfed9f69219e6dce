"""Our own rules for what AWS refuses, or accepts although it cannot work."""

from archlib.checks.rules.deploy.action_resource import ActionResource
from archlib.checks.rules.deploy.alarm_dimension import AlarmDimension
from archlib.checks.rules.deploy.alarm_metric import AlarmMetric
from archlib.checks.rules.deploy.cidr_size import CidrSize
from archlib.checks.rules.deploy.creation_policy import CreationPolicy
from archlib.checks.rules.deploy.export_name import ExportName
from archlib.checks.rules.deploy.find_in_map import FindInMap
from archlib.checks.rules.deploy.inline_handler import InlineHandler
from archlib.checks.rules.deploy.internet_gateway import InternetGateway
from archlib.checks.rules.deploy.key_lockout import KeyLockout
from archlib.checks.rules.deploy.load_balancer_zones import LoadBalancerZones
from archlib.checks.rules.deploy.managed_policy import ManagedPolicy
from archlib.checks.rules.deploy.nat_subnet import NatSubnet
from archlib.checks.rules.deploy.null_value import NullValue
from archlib.checks.rules.deploy.partition import Partition
from archlib.checks.rules.deploy.policy_size import PolicySize
from archlib.checks.rules.deploy.reference_kind import ReferenceKind
from archlib.checks.rules.deploy.role_trust import RoleTrust
from archlib.checks.rules.deploy.route_gateway import RouteGateway
from archlib.checks.rules.deploy.route_order import RouteOrder
from archlib.checks.rules.deploy.route_target import RouteTarget
from archlib.checks.rules.deploy.rule_priority import RulePriority
from archlib.checks.rules.deploy.scaling_bounds import ScalingBounds
from archlib.checks.rules.deploy.secret_default import SecretDefault
from archlib.checks.rules.deploy.security_group_ports import SecurityGroupPorts
from archlib.checks.rules.deploy.security_group_vpc import SecurityGroupVpc
from archlib.checks.rules.deploy.service_container import ServiceContainer
from archlib.checks.rules.deploy.service_listener import ServiceListener
from archlib.checks.rules.deploy.service_target_type import ServiceTargetType
from archlib.checks.rules.deploy.source_permissions import SourcePermissions
from archlib.checks.rules.deploy.ssl_policy import SslPolicy
from archlib.checks.rules.deploy.state_transition import StateTransition
from archlib.checks.rules.deploy.subscription import Subscription
from archlib.checks.rules.deploy.tag_count import TagCount
from archlib.checks.rules.deploy.task_execution_role import TaskExecutionRole
from archlib.checks.rules.deploy.zone_index import ZoneIndex

RULES = (
    CidrSize,
    ZoneIndex,
    NullValue,
    FindInMap,
    SecurityGroupPorts,
    SecurityGroupVpc,
    LoadBalancerZones,
    SslPolicy,
    RulePriority,
    InternetGateway,
    ServiceContainer,
    ServiceTargetType,
    TaskExecutionRole,
    ServiceListener,
    InlineHandler,
    RoleTrust,
    SourcePermissions,
    ActionResource,
    PolicySize,
    ManagedPolicy,
    RouteTarget,
    RouteGateway,
    NatSubnet,
    ScalingBounds,
    Subscription,
    StateTransition,
    KeyLockout,
    TagCount,
    Partition,
    ReferenceKind,
    ExportName,
    CreationPolicy,
    SecretDefault,
    AlarmMetric,
    AlarmDimension,
    RouteOrder,
)
