import pytest

from archlib import App, Stack
from archlib.components.apis.rest_api import RestApi
from archlib.components.apis.routes import Route, Routes, parse_route
from archlib.errors import SettingsError, WiringError


@pytest.fixture
def routes(stack: Stack) -> Routes:
    return Routes(RestApi(stack, "shop"))


@pytest.mark.parametrize(
    ("text", "name", "invocation"),
    [
        ("GET /", "GetRoot", "GET/"),
        ("GET /orders", "GetOrders", "GET/orders"),
        ("DELETE /orders/{id}", "DeleteOrdersById", "DELETE/orders/*"),
        ("ANY /v1/order-items/{path+}", "AnyV1OrderItemsByPath", "*/v1/order-items/*"),
        ("PUT /customers/{customerId}/orders", "PutCustomersByCustomerIdOrders", "PUT/customers/*/orders"),
    ],
)
def test_reads_a_route_and_names_it(text: str, name: str, invocation: str) -> None:
    route = parse_route(text)

    assert route is not None
    assert (str(route), route.id, route.invocation) == (text, name, invocation)


def test_knows_its_parameters() -> None:
    assert Route("GET", ("orders", "{id}", "{path+}")).parameters == ("id", "path")


@pytest.mark.parametrize(
    "text",
    [
        *("/orders", "GET orders", "get /orders", "FETCH /orders", "GET  /orders", "GET /orders ", ""),
        *("GET /orders/", "GET //orders", "GET /{path+}/orders", "GET /or{id}", "GET /{}", "GET /a b", "GET /a?b=c"),
    ],
)
def test_refuses_what_is_no_route(routes: Routes, text: str) -> None:
    assert parse_route(text) is None
    with pytest.raises(SettingsError, match=r"rest api 'shop': route .* must be a path behind one of ANY, DELETE"):
        routes.add(text)


def test_a_route_is_unique_and_the_error_names_both_places(routes: Routes) -> None:
    routes.add("GET /orders")
    with pytest.raises(
        SettingsError, match=r"'GET /orders' must be unique, but \S*test_routes\.py:\d+ has it"
    ) as caught:
        routes.add("GET /orders")

    origin = caught.value.problems[0].origin
    assert origin is not None
    assert origin.file == __file__


def test_a_part_of_a_path_has_one_parameter_name(routes: Routes) -> None:
    routes.add("GET /orders/{id}")
    routes.one_parameter_each(routes.add("GET /orders/{id}/items/{item}"))
    routes.one_parameter_each(routes.add("GET /orders/all"))
    routes.one_parameter_each(routes.add("GET /customers/{customer}"))

    with pytest.raises(SettingsError, match=r"must have {id} in place of {order}, as 'GET /orders/{id}' at \S+:\d+"):
        routes.one_parameter_each(routes.add("GET /orders/{order}/notes"))


def test_arns_are_of_known_routes_only(app: App, routes: Routes) -> None:
    routes.add("GET /orders")

    assert len(routes.arns((), "live")) == len(routes.arns(("GET /orders",), "live")) == 1
    with pytest.raises(WiringError, match="routes must be among GET /orders, got GET /other"):
        routes.arns(("GET /other",), "live")
