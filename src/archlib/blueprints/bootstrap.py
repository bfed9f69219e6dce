"""What an account needs once in each region before anything is deployed to it."""

from __future__ import annotations

from archlib.components.storage.bucket import Bucket
from archlib.core.app import App
from archlib.core.target import ASSETS_OUTPUT, BOOTSTRAP_STACK


def bootstrap() -> App:
    """Return the app whose one stack has the bucket for code and large templates.

    The bucket is encrypted, versioned, private and logged. What is in it is named after its content and stays, since
    older versions of an app need it; only replaced versions of an object go, after 30 days.
    """
    name, environment = BOOTSTRAP_STACK.split("-")
    app = App(name, environment, layout="single")
    stack = app.stack("assets", description="Bucket for code and templates that archlib deploys")
    bucket = Bucket(stack, "assets")
    stack.output(ASSETS_OUTPUT.lower(), bucket.ref(), "Bucket for code and templates")
    return app
