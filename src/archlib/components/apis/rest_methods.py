"""Methods of REST APIs: what each route becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from troposphere import Ref, apigateway

from archlib.components.apis.authorizers import Authorizers, CognitoAuthorizer, LambdaAuthorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.integrations import Integration, LambdaProxy
from archlib.components.apis.rest_deployment import Deployment
from archlib.components.apis.routes import METHODS, Route, Routes
from archlib.components.identity.role import Role
from archlib.core.component import Component
from archlib.core.suppression import suppress
from archlib.core.values import Value

Authorization = Literal["iam", "none"] | CognitoAuthorizer | LambdaAuthorizer


class Methods:
    """The methods of one REST API, with the paths, models, authorizers and rights they need.

    Args:
        api: the API.
        routes: its routes.
        deployment: its deployment.
        cors: web pages of other origins that may call it.
    """

    def __init__(self, api: Component, routes: Routes, deployment: Deployment, cors: Cors | None) -> None:
        self._api = api
        self._routes = routes
        self._deployment = deployment
        self._cors = cors
        self._authorizers = Authorizers(api)
        self._paths: set[tuple[str, ...]] = set()
        self._methods: dict[tuple[str, ...], list[str]] = {}
        self._role: Role | None = None

    def add(self, route: Route, integration: Integration, authorizer: Authorization) -> apigateway.Method:
        """Add the method of ``route``, and that of its preflight requests, and return it."""
        api = self._api
        prefix = self._cors.origin_template() if self._cors is not None else ""
        method = apigateway.Method(
            api.id(f"{self._routes.id(route)}Method"),
            AuthorizationType="NONE",
            HttpMethod=route.method,
            Integration=integration.build(route, self._allow(route, integration), prefix),
            RequestValidatorId=api.ref("RequestValidator"),
            ResourceId=self._path(route.segments),
            RestApiId=api.ref(),
        )
        if isinstance(authorizer, CognitoAuthorizer | LambdaAuthorizer):
            method.AuthorizationType = authorizer.method_type
            method.AuthorizerId = self._authorizers.place(authorizer, authorizer.rest)
        elif authorizer == "iam":
            method.AuthorizationType = "AWS_IAM"
        if method.AuthorizationType in ("AWS_IAM", "CUSTOM"):
            suppress(method, "iam-or-lambda-authorizer")
        responses = method.Integration.properties.get("IntegrationResponses", ())
        if responses:
            method.MethodResponses = [apigateway.MethodResponse(StatusCode=each.StatusCode) for each in responses]
        if self._cors is not None:
            self._answer_preflight(self._cors, route)
        return self._deployment.wait_for(method)

    def _allow(self, route: Route, integration: Integration) -> Value:
        """Let API Gateway call what ``integration`` calls, and return the role it does so with, if it needs one."""
        if isinstance(integration, LambdaProxy):
            self._routes.admit(route, integration.function)
        if not integration.grants:
            return ""
        if self._role is None:
            self._role = Role(self._api.stack, f"{self._api.name}-api", service="apigateway")
        for grant in integration.grants:
            self._role.allow(grant, why=f"{route} of {self._api}")
        return self._role.arn

    def _path(self, segments: tuple[str, ...]) -> Value:
        """Return the id of the resource for a path, made with those above it the first time."""
        api = self._api
        if not segments:
            return api.attribute("RootResourceId")
        role = f"{self._routes.path_id(segments)}Resource"
        if segments not in self._paths:
            self._paths.add(segments)
            parent = self._path(segments[:-1])
            self._deployment.hold(
                apigateway.Resource(api.id(role), ParentId=parent, PathPart=segments[-1], RestApiId=api.ref())
            )
        return api.ref(role)

    def _answer_preflight(self, cors: Cors, route: Route) -> None:
        methods = self._methods.setdefault(route.segments, [])
        methods.append(route.method)
        if len(methods) == 1:
            self._deployment.wait_for(
                cors.preflight(
                    self._api.id(f"Options{self._routes.path_id(route.segments)}Method"),
                    self._api.ref(),
                    self._path(route.segments),
                    self._api.ref("RequestValidator"),
                    lambda: METHODS[1:] if "ANY" in methods else sorted({*methods, "OPTIONS"}),
                )
            )

    def check_body(self, route: Route, method: apigateway.Method, schema: Mapping[str, Any]) -> None:
        """Let requests of ``method`` pass only with a body that fits ``schema``."""
        model = apigateway.Model(
            self._api.id(f"{self._routes.id(route)}Model"),
            ContentType="application/json",
            Description=f"Body of {route}",
            RestApiId=self._api.ref(),
            Schema=dict(schema),
        )
        self._deployment.hold(model)
        # For every content type: with one named, a body that claims another would not be checked.
        method.RequestModels = {"$default": Ref(model)}


def request_parameters(path: Sequence[str], query: Sequence[str], headers: Sequence[str]) -> dict[str, bool]:
    """Return the parameters of a request, and whether each is required; names with ``?`` at the end are not."""
    return {
        f"method.request.{place}.{name.removesuffix('?')}": not name.endswith("?")
        for place, names in (("path", path), ("querystring", query), ("header", headers))
        for name in names
    }


def caller_parameters(authorizer: Authorization) -> dict[str, bool]:
    """Return the parameters that tell one caller from another."""
    if isinstance(authorizer, LambdaAuthorizer):
        return request_parameters((), authorizer.query, authorizer.headers)
    return {} if authorizer == "none" else request_parameters((), (), ("Authorization",))
