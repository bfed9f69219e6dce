"""A blueprint of one's own: a serverless architecture whose functions all write to an audit queue."""

from datetime import timedelta
from typing import Any

from archlib import App
from archlib.blueprints.serverless import Serverless, ServerlessSettings
from archlib.components.messaging.queue import Queue
from archlib.core.source import Source
from archlib.emit.template import to_yaml


class AuditedServerless(Serverless):
    """Everything the serverless blueprint has, and an audit queue."""

    name = "audited-serverless"

    def __init__(self, app: App, settings: ServerlessSettings, *, source: Source | None = None) -> None:
        super().__init__(app, settings, source=source)
        self.audit = Queue(self.data, "audit", retention=timedelta(days=14))
        for function in self.functions.values():
            function.connect(self.audit.for_sending())


HELLO = "def handler(event, context):\n    return {'statusCode': 200}\n"
SETTINGS: dict[str, Any] = {
    "functions": {"hello": {"code": {"inline": HELLO}}},
    "http_apis": {"public": {"routes": {"GET /hello": "hello"}}},
}

app = App("shop", "prod", tags={"team": "orders"})
AuditedServerless(app, ServerlessSettings.model_validate(SETTINGS))

if __name__ == "__main__":
    for stack in app.assemble():
        print(to_yaml(stack.template))
