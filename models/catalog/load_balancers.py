"""What Google's load balancers cost; the numbers and their source are in load_balancers.yaml."""

from datetime import date
from decimal import Decimal
from functools import cache

from models.catalog import data_file
from models.facts import Facts


class LoadBalancerPrice(Facts):
    """USD an hour of a forwarding rule, and USD of a GiB that comes in or goes out."""

    date: date
    forwarding_rule_usd_per_hour: Decimal
    usd_per_gib: Decimal


@cache
def load_balancer_price() -> LoadBalancerPrice:
    """Return the price that ships with the program."""
    row = data_file.read("load_balancers.yaml")
    usd = ("forwarding_rule_usd_per_hour", "usd_per_gib")
    return LoadBalancerPrice.model_validate({**row, **{key: Decimal(str(row[key])) for key in usd}})
