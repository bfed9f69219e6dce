from __future__ import annotations

from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.balancing.network import NetworkLoadBalancer
from archlib.components.balancing.target_groups import HealthCheck
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError, WiringError
from archlib.units import parse_duration
from contract.factories.balancing import CERTIFICATE, Backend, backend


class Game:
    def __init__(self, **settings: Any) -> None:
        self.app = App("game", "test")
        self.network = Vpc(Stack(self.app, "network"), "main", public=True)
        self.balancer = NetworkLoadBalancer(Stack(self.app, "ingress"), "public", network=self.network, **settings)

    def service(self, name: str) -> Backend:
        return backend(self.app.stack(name), name, self.network)

    def templates(self) -> dict[str, Any]:
        return {stack.name.removeprefix("game-test-"): stack.template["Resources"] for stack in self.app.assemble()}


def test_a_listener_is_made_beside_its_target() -> None:
    game = Game()
    lobby = game.service("lobby")

    game.balancer.forward(lobby, port=7000)

    found = game.templates()
    assert found["lobby"]["LobbyPublicListener"]["Properties"]["Protocol"] == "TCP"
    assert found["lobby"]["LobbyPublicTargetGroup"]["Properties"]["HealthCheckProtocol"] == "TCP"
    assert lobby.group.ready == "LobbyPublicListener"
    assert not lobby.group.requests
    (way_in,) = found["ingress"]["PublicLoadBalancerSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert (way_in["FromPort"], way_in["IpProtocol"]) == (7000, "tcp")


def test_tls_ends_at_the_load_balancer() -> None:
    game = Game()

    game.balancer.forward(game.service("lobby"), port=443, protocol="TLS", certificate=CERTIFICATE)

    found = game.templates()["lobby"]
    assert found["LobbyPublicListener"]["Properties"]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13")
    assert found["LobbyPublicTargetGroup"]["Properties"]["Protocol"] == "TCP"


def test_tcp_and_udp_open_both() -> None:
    game = Game()

    game.balancer.forward(game.service("voice"), port=53, protocol="TCP_UDP", health=HealthCheck("/health"))

    found = game.templates()
    rules = found["ingress"]["PublicLoadBalancerSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert [rule["IpProtocol"] for rule in rules] == ["tcp", "udp"]
    assert found["voice"]["VoicePublicTargetGroup"]["Properties"]["HealthCheckPath"] == "/health"


def test_addresses_can_stay() -> None:
    found = Game(fixed_addresses=True).templates()["ingress"]

    assert {"PublicAddress1", "PublicAddress2"} <= found.keys()
    assert "Subnets" not in found["PublicLoadBalancer"]["Properties"]


def test_an_internal_one_is_reached_by_those_who_are_connected() -> None:
    game = Game(internal=True)
    game.balancer.forward(game.service("lobby"), port=7000)

    assert game.balancer.for_calling(7000).ports == (7000,)
    assert "SecurityGroupIngress" not in game.templates()["ingress"]["PublicLoadBalancerSecurityGroup"]["Properties"]
    with pytest.raises(WiringError, match="port must be one that is forwarded, got 7001"):
        game.balancer.for_calling(7001)


def test_a_port_is_forwarded_once() -> None:
    game = Game()
    game.balancer.forward(game.service("lobby"), port=7000)

    with pytest.raises(WiringError, match="port must be forwarded once, got 7000 for 'chat' too"):
        game.balancer.forward(game.service("chat"), port=7000)


def test_watches_the_health_of_each_target() -> None:
    game = Game()
    game.balancer.forward(game.service("lobby"), port=7000)

    assert [watch.name for watch in game.balancer.watches()] == ["ports", "lobby-unhealthy"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"port": 0}, "port must be 1 to 65535"),
        ({"port": 1, "protocol": "HTTP"}, "protocol must be one of TCP, TLS, UDP, TCP_UDP"),
        ({"port": 1, "protocol": "TLS"}, "certificate must be given for TLS"),
        ({"port": 1, "certificate": CERTIFICATE}, "certificate must be given for TLS"),
        ({"port": 1, "protocol": "TLS", "certificate": "x"}, "certificate must be the ARN of a certificate"),
        ({"port": 1, "drain": parse_duration("2h")}, "drain must be 0s to 1h"),
        ({"port": 1, "health": HealthCheck("x")}, "health.path must be a path"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    game = Game()

    with pytest.raises(SettingsError, match=message):
        game.balancer.forward(game.service("lobby"), **settings)


def test_an_internal_one_has_no_fixed_addresses() -> None:
    with pytest.raises(SettingsError, match="fixed_addresses must be false for an internal one"):
        Game(internal=True, fixed_addresses=True)


def test_a_network_without_public_subnets_is_refused() -> None:
    app = App("game", "test")

    with pytest.raises(SettingsError, match="network must be one with public subnets in two zones, got 0"):
        NetworkLoadBalancer(Stack(app, "ingress"), "public", network=Vpc(Stack(app, "network"), "main"))
