"""Use components directly, mix in raw troposphere, print the templates."""

from datetime import timedelta

from troposphere import sns

from archlib import App, Stack
from archlib.components.data.table import Table
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.emit.template import to_yaml

HELLO = Code(inline="def handler(event, context):\n    return {'ok': True}\n")

app = App("shop", "dev", tags={"team": "orders"}, removal="Delete")
data, code = Stack(app, "data"), Stack(app, "code")

orders = Table(data, "orders", partition_key="customer", sort_key="placed")
emails = Queue(data, "emails", visibility=timedelta(minutes=2))
emails.resource.MaximumMessageSize = 65_536  # bytes; anything troposphere knows
alerts = data.add(sns.Topic("Alerts", KmsMasterKeyId=orders.key.arn))  # no component needed

api = Function(code, "api", code=HELLO)
api.connect(orders.for_reading_and_writing(), emails.for_sending())  # rights, key, ORDERS_TABLE, EMAILS_QUEUE_URL
mailer = Function(code, "mailer", code=HELLO)
mailer.consume(emails)

if __name__ == "__main__":
    for stack in app.assemble():  # dependencies first
        print(f"# {stack.name} needs {sorted(stack.depends_on) or 'nothing'}")
        print(to_yaml(stack.template))
