import pytest

from archlib import Stack
from archlib.components.apis.rest_api import RestApi
from archlib.components.apis.routes import Route, Routes, parse_route
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError


@pytest.fixture
def routes(stack: Stack) -> Routes:
    return Routes(RestApi(stack, "shop"), "live")


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
def test_reads_a_route_and_names_it(routes: Routes, text: str, name: str, invocation: str) -> None:
    route = routes.add(text)

    assert route == parse_route(text)
    assert (str(route), routes.id(route), route.invocation) == (text, name, invocation)


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["GET /a-b", "GET /a_b", "GET /a/b"], ["GetAB", "GetAB2", "GetAB3"]),
        (["GET /a-b", "PUT /a_b", "PUT /a-b"], ["GetAB", "PutAB2", "PutAB"]),
        (["GET /", "GET /root"], ["GetRoot", "GetRoot2"]),
        (["GET /x/{a}", "GET /x/{a+}", "GET /x/by-a"], ["GetXByA", "GetXByA2", "GetXByA3"]),
        (["GET /v2", "GET /v", "GET /V", "GET /v_"], ["GetV2", "GetV", "GetV3", "GetV4"]),
    ],
)
def test_routes_that_read_alike_have_names_of_their_own(routes: Routes, texts: list[str], names: list[str]) -> None:
    added = [routes.add(text) for text in texts]

    assert [routes.id(route) for route in added] == names
    assert [routes.id(route) for route in added] == names


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


def test_callers_may_call_known_routes_only(routes: Routes) -> None:
    routes.add("GET /orders")

    for texts, end in (((), "*"), (("GET /orders",), "GET/orders")):
        (grant,) = routes.for_invoking(texts, "https://x").grants
        assert [encode(found)["Fn::Sub"].rpartition("/live/")[2] for found in grant.resources] == [end]
    with pytest.raises(WiringError, match="routes must be among GET /orders, got GET /other"):
        routes.for_invoking(("GET /other",), "https://x")
