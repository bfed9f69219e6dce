"""A blueprint and components in one app: a function works in the network and the database of a multi-tier shop."""

from datetime import timedelta

from archlib import App, Stack
from archlib.blueprints.multi_tier import MultiTier, MultiTierSettings
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.components.observability.alarm import Alarm
from archlib.emit.template import to_yaml

SHIP = Code(
    inline="import os\n\ndef handler(event, context):\n    print('ship, and note it at', os.environ['ORDERS_HOST'])\n"
)

app = App("shop", "prod", tags={"team": "orders"})
tier = MultiTier(
    app,
    MultiTierSettings.model_validate(
        {
            "domain": {"name": "shop.example.com", "zone_id": "Z0123456789ABCDEFGHIJ"},
            "application": {"instances": {"connects_to": ["orders"]}},
            "databases": {"orders": {}},
        }
    ),
)

shipping = Stack(app, "shipping", description="What happens to an order when it is paid")
tier.network.add_endpoints("sqs")  # the instances reach no other AWS API than those they need
paid = Queue(shipping, "paid", visibility=timedelta(minutes=3))
tier.application.connect(paid.for_sending())  # rights, key, PAID_QUEUE_URL

ship = Function(shipping, "ship", code=SHIP, network=tier.network)
ship.connect(tier.databases["orders"].for_connecting())  # port, password, ORDERS_HOST
ship.consume(paid)
if tier.alarm_topic:
    Alarm.each(shipping, [ship, paid], notify=tier.alarm_topic)

if __name__ == "__main__":
    for stack in app.assemble():
        print(f"# {stack.name} needs {sorted(stack.depends_on) or 'nothing'}")
        print(to_yaml(stack.template))
