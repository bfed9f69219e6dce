"""Components alone: a service of containers on Fargate behind a load balancer with TLS, and its table."""

from archlib import App, Stack
from archlib.components.balancing.application import ApplicationLoadBalancer
from archlib.components.balancing.target_groups import HealthCheck
from archlib.components.containers.cluster import Cluster
from archlib.components.containers.container import NEEDS_ENDPOINTS
from archlib.components.containers.repository import Repository
from archlib.components.containers.service import FargateService
from archlib.components.data.table import Table
from archlib.components.edge.certificate import Certificate
from archlib.components.edge.record import Record
from archlib.components.edge.zone import Zone
from archlib.components.network.vpc import Vpc
from archlib.emit.template import to_yaml
from archlib.wiring.scaling import Scaling

ZONE_ID, HOST = "Z0123456789ABCDEFGHIJ", "orders.example.com"

app = App("shop", "prod", tags={"team": "orders"})
network = Vpc(Stack(app, "network"), "shop", public=True, endpoints=NEEDS_ENDPOINTS)
orders = Table(Stack(app, "data"), "orders", partition_key="customer", sort_key="placed")
images = Repository(Stack(app, "images"), "orders")  # push orders:1.4 before the service is deployed

entry = Stack(app, "entry")
certificate = Certificate(entry, "public", domain=HOST, zone_id=ZONE_ID)
balancer = ApplicationLoadBalancer(entry, "public", network=network, certificate=certificate.arn, redirect_http=True)
Record(entry, "public", zone=Zone.lookup(zone_id=ZONE_ID, domain="example.com"), host=HOST, alias=balancer)

code = Stack(app, "code")
service = FargateService(
    code, "orders", cluster=Cluster(code, "shop"), network=network, image=images.image("1.4"),
    scaling=Scaling(minimum=2, maximum=20, cpu=70, requests=1000),
)  # fmt: skip
service.connect(orders.for_reading_and_writing())  # rights, key, port 443 to DynamoDB, ORDERS_TABLE
balancer.route(service, paths=["/*"], health=HealthCheck(path="/health"))

if __name__ == "__main__":
    for stack in app.assemble():
        print(f"# {stack.name} needs {sorted(stack.depends_on) or 'nothing'}")
        print(to_yaml(stack.template))
