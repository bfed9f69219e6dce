"""The APIs of the serverless blueprint: where their routes lead, and who may call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archlib.blueprints.serverless_settings import (
    AuthorizerSettings,
    HttpApiSettings,
    HttpRouteSettings,
    RestApiSettings,
    RestRouteSettings,
    only_one,
)
from archlib.components.apis.authorizers import CognitoAuthorizer, JwtAuthorizer, LambdaAuthorizer
from archlib.components.apis.http_api import HttpApi
from archlib.components.apis.integrations import HttpUrl, send_message, start_execution
from archlib.components.apis.rest_api import RestApi
from archlib.errors import WiringError

if TYPE_CHECKING:
    from archlib.blueprints.serverless import Serverless

_BUILT_IN = frozenset({"iam", "none"})


def rest_api(blueprint: Serverless, name: str, chosen: RestApiSettings) -> RestApi:
    """Return the REST API ``name`` with its routes, behind its firewall."""
    authorizer = _rest_authorizer(blueprint, chosen, chosen.authorizer)
    api = RestApi(blueprint.code, name, authorizer=authorizer, **chosen.arguments())
    for route, settings in chosen.routes.items():
        with blueprint.at("rest_apis", name, "routes", route):
            target = _rest_target(blueprint, route, settings)
            own = _rest_authorizer(blueprint, chosen, settings.authorizer) if settings.authorizer else None
            api.route(route, target, authorizer=own, **settings.arguments())
    if chosen.firewall:
        _, firewall = blueprint.find(chosen.firewall, "firewalls")
        firewall.protect(api.protected_arn, label=name)
    blueprint.code.output(f"{name}-url", api.url, f"Address of the API {name}")
    return api


def http_api(blueprint: Serverless, name: str, chosen: HttpApiSettings) -> HttpApi:
    """Return the HTTP API ``name`` with its routes."""
    authorizer = _http_authorizer(blueprint, chosen, chosen.authorizer)
    api = HttpApi(blueprint.code, name, authorizer=authorizer, **chosen.arguments())
    for route, settings in chosen.routes.items():
        with blueprint.at("http_apis", name, "routes", route):
            target = _http_target(blueprint, route, settings)
            own = _http_authorizer(blueprint, chosen, settings.authorizer) if settings.authorizer else None
            api.route(route, target, authorizer=own, **settings.arguments())
    output = f"{name}-http-url" if name in blueprint.settings.rest_apis else f"{name}-url"
    blueprint.code.output(output, api.url, f"Address of the API {name}")
    return api


def _rest_target(blueprint: Serverless, route: str, chosen: RestRouteSettings) -> Any:
    kind, where = only_one(chosen, f"route {route!r}: must lead to", "function", "queue", "state_machine", "url")
    match kind:
        case "queue":
            return send_message(blueprint.find(where, "queues")[1])
        case "state_machine":
            return start_execution(blueprint.find(where, "state_machines")[1])
        case "url":
            return HttpUrl(where)
        case _:
            return blueprint.find(where, "functions")[1]


def _http_target(blueprint: Serverless, route: str, chosen: HttpRouteSettings) -> Any:
    kind, where = only_one(chosen, f"route {route!r}: must lead to", "function", "url")
    return HttpUrl(where) if kind == "url" else blueprint.find(where, "functions")[1]


def _rest_authorizer(blueprint: Serverless, api: RestApiSettings, name: str) -> Any:
    if name in _BUILT_IN:
        return name
    if name in api.authorizers:
        return _lambda_authorizer(blueprint, name, api.authorizers[name])
    _, pool = blueprint.find(name, "user_pools")
    return CognitoAuthorizer(pool.name, [pool.arn])


def _http_authorizer(blueprint: Serverless, api: HttpApiSettings, name: str) -> Any:
    if name in _BUILT_IN:
        return name
    chosen = api.authorizers.get(name)
    if chosen is not None and chosen.issuer:
        return JwtAuthorizer(name, chosen.issuer, chosen.audience)
    if chosen is not None:
        return _lambda_authorizer(blueprint, name, chosen)
    _, pool = blueprint.find(name, "user_pools")
    return JwtAuthorizer(pool.name, pool.issuer, blueprint.clients[pool.name])


def _lambda_authorizer(blueprint: Serverless, name: str, chosen: AuthorizerSettings) -> LambdaAuthorizer:
    if chosen.function is None:
        raise WiringError(f"authorizer {name!r}: must have a function, got none; name one")
    function = blueprint.find(chosen.function, "functions")[1]
    return LambdaAuthorizer(name, function, **chosen.arguments())
