from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from archlib import load as load_blueprint
from functional.apps.fakes import APPS, Client, Dynamo, load

FOLDER = APPS / "fastapi"
ADA = {"id": "ada", "name": "Ada Lovelace", "email": "ada@example.com"}


class Service(Client):
    """The app with its tables."""

    def __init__(self, main: Any, store: Any) -> None:
        self.dynamo = Dynamo()
        users, posts = (store.Table(name, lambda: self.dynamo) for name in ("users", "posts"))
        super().__init__(main.create(users, posts))

    def post_by(self, user: str, title: str = "On engines") -> str:
        status, post = self("POST", "/posts", body={"user_id": user, "title": title, "text": "They compute."})
        assert status == 201
        found: str = post["id"]
        return found


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(*load(monkeypatch, FOLDER, "main", "store"))


def test_it_is_well_without_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    main, store = load(monkeypatch, FOLDER, "main", "store")

    def connect() -> Any:
        raise AssertionError("nobody asked for a table")

    client = Client(main.create(store.Table("users", connect), store.Table("posts", connect)))

    assert client("GET", "/health") == (200, {"status": "ok"})


def test_the_environment_names_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    (main,) = load(monkeypatch, FOLDER, "main")
    monkeypatch.delenv("USERS_TABLE", raising=False)
    monkeypatch.setenv("POSTS_TABLE", "posts-of-prod")
    with pytest.raises(KeyError, match="USERS_TABLE"):
        main.production()
    monkeypatch.setenv("USERS_TABLE", "users-of-prod")

    state = main.production().state

    assert (state.users.name, state.posts.name) == ("users-of-prod", "posts-of-prod")


def test_a_user_is_made_read_changed_and_removed(service: Service) -> None:
    status, made = service("POST", "/users", body=ADA)
    assert status == 201
    assert made.pop("created")
    assert made == ADA

    status, changed = service("PUT", "/users/ada", body={"name": "A. L.", "email": "al@example.com"})
    assert status == 200
    assert service("GET", "/users/ada") == (200, changed)
    assert changed["name"] == "A. L."
    assert changed["created"], "it stays"

    assert service("DELETE", "/users/ada")[0] == 204
    assert service("GET", "/users/ada") == (404, {"detail": "there is no such item"})


def test_a_post_is_made_read_changed_and_removed(service: Service) -> None:
    service("POST", "/users", body=ADA)
    post = f"/posts/{service.post_by('ada')}"

    status, changed = service("PUT", post, body={"title": "On looms", "text": "They weave."})

    assert status == 200
    assert (changed["user_id"], changed["title"], changed["text"]) == ("ada", "On looms", "They weave.")
    assert service("GET", post) == (200, changed)
    assert service("DELETE", post)[0] == 204
    assert service("GET", post)[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/users/bob", None),
        ("PUT", "/users/bob", {"name": "Bob", "email": "bob@example.com"}),
        ("DELETE", "/users/bob", None),
        ("GET", "/users/bob/posts", None),
        ("POST", "/posts", {"user_id": "bob", "title": "t", "text": "t"}),
        ("GET", "/posts/none", None),
        ("PUT", "/posts/none", {"title": "t", "text": "t"}),
        ("DELETE", "/posts/none", None),
    ],
)
def test_what_is_not_there_is_not_found(service: Service, method: str, path: str, body: Any) -> None:
    assert service(method, path, body=body) == (404, {"detail": "there is no such item"})
    assert not any(service.dynamo.tables.values()), "and nothing is made"


def test_an_id_is_given_once(service: Service) -> None:
    service("POST", "/users", body=ADA)

    assert service("POST", "/users", body={**ADA, "name": "Another"}) == (409, {"detail": "the id is taken"})
    assert service("GET", "/users/ada")[1]["name"] == "Ada Lovelace"


def test_a_user_with_posts_stays(service: Service) -> None:
    service("POST", "/users", body=ADA)
    post = service.post_by("ada")

    assert service("DELETE", "/users/ada") == (409, {"detail": "the user has posts; delete them first"})
    service("DELETE", f"/posts/{post}")
    assert service("DELETE", "/users/ada")[0] == 204


def test_lists_come_in_pages(service: Service) -> None:
    for number in range(5):
        service("POST", "/users", body={**ADA, "id": f"user-{number}"})

    seen, path = [], "/users?limit=2"
    for _ in range(3):
        status, page = service("GET", path)
        assert status == 200
        assert len(page["items"]) <= 2
        seen += [user["id"] for user in page["items"]]
        path = f"/users?limit=2&after={page['next']}"

    assert page["next"] is None
    assert seen == [f"user-{number}" for number in range(5)]


def test_posts_of_a_user_are_found_by_the_index_in_pages(service: Service) -> None:
    for name in ("ada", "bob"):
        service("POST", "/users", body={**ADA, "id": name})
    of_ada = sorted(service.post_by("ada") for _ in range(3))
    of_bob = service.post_by("bob")

    first = service("GET", "/users/ada/posts?limit=2")[1]
    second = service("GET", f"/users/ada/posts?limit=2&after={first['next']}")[1]

    assert [post["id"] for post in first["items"] + second["items"]] == of_ada
    assert second["next"] is None
    assert service.dynamo.queried == ["user-id", "user-id"]
    assert {post["id"] for post in service("GET", "/posts")[1]["items"]} == {*of_ada, of_bob}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/users", {**ADA, "id": "Ada!"}),
        ("/users", {**ADA, "id": "a" * 37}),
        ("/users", {**ADA, "name": "   "}),
        ("/users", {**ADA, "email": "nowhere"}),
        ("/users", {**ADA, "admin": True}),
        ("/users", {"id": "ada"}),
        ("/posts", {"user_id": "ada", "title": "t" * 201, "text": "t"}),
        ("/posts", {"user_id": "ada", "title": "t", "text": "t" * 10_001}),
        ("/posts", {"user_id": "ada", "title": "t", "text": ""}),
    ],
)
def test_what_is_malformed_does_not_get_in(service: Service, path: str, body: Any) -> None:
    assert service("POST", path, body=body)[0] == 422
    assert not any(service.dynamo.tables.values())


@pytest.mark.parametrize("path", ["/users?limit=0", "/users?limit=101", "/users?after=A%20B", "/users/Ada!"])
def test_what_is_asked_for_has_limits(service: Service, path: str) -> None:
    assert service("GET", path)[0] == 422


def test_large_requests_are_refused(service: Service) -> None:
    assert service("POST", "/users", body={**ADA, "name": "a" * 70_000})[0] == 413


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "PutItem"),
        EndpointConnectionError(endpoint_url="https://dynamodb"),
    ],
)
def test_a_table_that_fails_is_no_fault_of_the_caller(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    main, store = load(monkeypatch, FOLDER, "main", "store")

    class Failing:
        def put_item(self, **request: Any) -> Any:
            raise error

        get_item = put_item

    failing = store.Table("users", Failing)
    client = Client(main.create(failing, failing))

    assert client("GET", "/users/ada") == (503, {"detail": "try again"})
    assert client("POST", "/users", body=ADA) == (503, {"detail": "try again"})


def test_the_client_is_made_once_and_speaks_to_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    (store,) = load(monkeypatch, FOLDER, "store")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert store.dynamodb() is store.dynamodb()
    assert store.dynamodb().meta.region_name == "eu-west-1"


def test_the_blueprint_gives_the_service_what_it_needs() -> None:
    for stack in load_blueprint(FOLDER.parents[2] / "blueprints" / "fastapi-ec2.yaml").assemble():
        resources = stack.template["Resources"].values()
        scripts = [str(each) for each in resources if each["Type"] == "AWS::EC2::LaunchTemplate"]
        if scripts:
            break

    (script,) = scripts
    for part in ("USERS_TABLE='", "POSTS_TABLE='", "systemctl enable --now blog.service"):
        assert part in script.replace("\\'", "'")


def test_all_dependencies_are_pinned() -> None:
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith("#")]

    assert {"fastapi", "uvicorn", "boto3"} <= {line.partition("==")[0] for line in pinned}
    assert [line for line in pinned if "==" not in line] == []
