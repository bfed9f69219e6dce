"""What goes over the wire; nothing else gets in."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

ID = "^[a-z0-9-]{1,36}$"
Id = Annotated[str, StringConstraints(pattern=ID)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]

Item = TypeVar("Item")


class Strict(BaseModel):
    """A request with an unknown field is a mistake."""

    model_config = ConfigDict(extra="forbid")


class UserChange(Strict):
    name: Line
    email: Email


class NewUser(UserChange):
    id: Id


class User(NewUser):
    created: datetime


class PostChange(Strict):
    title: Line
    text: Text


class NewPost(PostChange):
    user_id: Id


class Post(NewPost):
    id: Id
    created: datetime


class Page(BaseModel, Generic[Item]):
    """Some of the items; the next ones come ``after`` the last."""

    items: list[Item]
    next: str | None
