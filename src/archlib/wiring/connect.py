"""One call that grants the rights, passes the address, and opens the network."""

from __future__ import annotations

from troposphere import ec2

from archlib.core.naming import environment_key, logical_id, pascal
from archlib.core.stack import Stack
from archlib.core.values import Value, encode
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, PrefixList
from archlib.wiring.roles import Caller


def connect(caller: Caller, *bindings: Binding) -> None:
    """Let ``caller`` use what ``bindings`` describe.

    Adds the statements to the caller's role, the addresses to its environment (named after the target,
    ``ORDERS_TABLE``) and, for a target that listens on a port, both security-group rules. Everything it adds lives in
    the caller's stack, which then depends on the target's.

    Raises:
        WiringError: the target is inside a network and the caller is not.
    """
    for binding in bindings:
        open_ports(caller.name, caller.security_group, binding, stack=caller.stack)
        for grant in binding.grants:
            caller.allow(grant, why=binding.access)
        for suffix, value in binding.environment.items():
            caller.set_environment(environment_key(binding.target, suffix), value)
        for suffix, value in binding.secrets.items():
            caller.set_secret(environment_key(binding.target, suffix), value)


def open_ports(name: str, source: Value | None, binding: Binding, *, stack: Stack) -> None:
    """Open the ports of ``binding`` for what is called ``name`` and in the security group ``source``.

    The rules of both sides are added to ``stack``.

    Raises:
        WiringError: one of the two is not in a network, or another pair of these names is connected in the stack.
    """
    for port in binding.ports:
        _open_port(name, source, binding, port, stack)


def _open_port(name: str, source: Value | None, binding: Binding, port: int, stack: Stack) -> None:
    target = binding.security_group
    if source is None or (target is None and not binding.ranges):
        missing = name if source is None else binding.target
        raise WiringError(
            f"{name!r} cannot reach {binding.target!r} on port {port}: both must be in a network; "
            f"put {missing!r} into one"
        )
    pair = f"{logical_id(name, 'To')}{pascal(binding.target)}{port}"
    words = f"{name} to {binding.target} on port {port}"
    known = stack.template.resources.get(f"{pair}Ingress")
    if known is not None and encode([known.GroupId, known.SourceSecurityGroupId]) != encode([target, source]):
        raise WiringError(
            f"{name!r} cannot reach {binding.target!r} on port {port}: another pair of these names is connected "
            "in the same stack; rename one of them"
        )
    if target is not None and known is None:
        stack.add(
            ec2.SecurityGroupIngress(
                f"{pair}Ingress",
                Description=words,
                GroupId=target,
                SourceSecurityGroupId=source,
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
            )
        )
        _allow_out(stack, source, f"{pair}Egress", words, port).DestinationSecurityGroupId = target
    for label, block in binding.ranges.items():
        title = f"{pair}{label}Egress"
        if title not in stack.template.resources:
            rule = _allow_out(stack, source, title, f"{words} ({label})", port)
            if isinstance(block, PrefixList):
                rule.DestinationPrefixListId = block.id or stack.prefix_list(block.service)
            elif ":" in block:
                rule.CidrIpv6 = block
            else:
                rule.CidrIp = block


def _allow_out(stack: Stack, source: Value, title: str, words: str, port: int) -> ec2.SecurityGroupEgress:
    return stack.add(
        ec2.SecurityGroupEgress(
            title,
            Description=words,
            GroupId=source,
            IpProtocol="tcp",
            FromPort=port,
            ToPort=port,
        )
    )
