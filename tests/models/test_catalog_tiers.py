"""GPU tiers, machine types, zones and prices are consistent."""

from decimal import Decimal

import pytest

from models.catalog import (
    GpuTier,
    data_file,
    disk_quotas,
    gpu_tiers,
    machine_types,
    prices,
    regions,
    zone_table,
    zones_with,
)

TIERS = list(gpu_tiers().values())
TIER_IDS = [tier.id for tier in TIERS]


def test_every_tier_of_google_cloud_is_there() -> None:
    assert set(TIER_IDS) == {
        *("t4", "t4-x2", "t4-x4"),
        *("l4", "l4-x2", "l4-x4", "l4-x8"),
        *("a100-40gb", "a100-40gb-x2", "a100-40gb-x4", "a100-40gb-x8"),
        *("a100-80gb", "a100-80gb-x2", "a100-80gb-x4", "a100-80gb-x8"),
        *("h100-80gb", "h100-80gb-x2", "h100-80gb-x4", "h100-80gb-x8"),
        *("h200-141gb-x8", "b200-x8"),
        *("rtx-pro-6000", "rtx-pro-6000-x2", "rtx-pro-6000-x4", "rtx-pro-6000-x8"),
    }


@pytest.mark.parametrize(
    ("tier", "machine"),
    [
        ("t4", "n1-standard-8"),
        ("l4", "g2-standard-12"),
        ("l4-x2", "g2-standard-24"),
        ("a100-80gb-x2", "a2-ultragpu-2g"),
    ],
)
def test_the_four_common_tiers_have_their_machines(tier: str, machine: str) -> None:
    assert gpu_tiers()[tier].machine_type == machine


@pytest.mark.parametrize("tier", TIERS, ids=TIER_IDS)
def test_machines_exist_and_the_default_is_among_them(tier: GpuTier) -> None:
    assert tier.machine_type in tier.machine_types
    assert set(tier.machine_types) <= set(machine_types())


@pytest.mark.parametrize("tier", TIERS, ids=TIER_IDS)
def test_ids_name_the_gpu_and_the_count(tier: GpuTier) -> None:
    suffix = "" if tier.gpu_count == 1 else f"-x{tier.gpu_count}"
    assert tier.id == tier.gpu + suffix


def test_only_series_without_persistent_disks_boot_from_hyperdisk() -> None:
    hyperdisk = {
        id_ for id_, machine in machine_types().items() if machine.boot_disk == "hyperdisk-balanced"
    }
    assert hyperdisk == {
        id_ for id_ in machine_types() if id_.startswith(("a3-ultragpu-", "a4-", "g4-"))
    }
    assert disk_quotas() == {"pd-balanced": "SSD_TOTAL_GB", "hyperdisk-balanced": None}


def test_vcpus_of_machines_without_built_in_gpus_have_a_quota() -> None:
    series = {"n1": "CPUS", "e2": "CPUS", "n2": "N2_CPUS"}
    for id_, machine in machine_types().items():
        assert machine.vcpu_quota == series.get(id_.partition("-")[0])


def test_a_machine_is_listed_under_its_series() -> None:
    for name, series in data_file.read("machine_types.yaml")["series"].items():
        assert all(machine.startswith(f"{name}-") for machine in series["machine_types"])


def test_a_machine_with_built_in_gpus_belongs_to_one_tier() -> None:
    owners: dict[str, set[str]] = {}
    for tier in TIERS:
        for machine in tier.machine_types:
            owners.setdefault(machine, set()).add(tier.id)
    shared = {machine for machine, tiers in owners.items() if len(tiers) > 1}
    # GPUs are attached only to N1 machines.
    assert shared == {"n1-standard-4", "n1-standard-8", "n1-standard-16"}


@pytest.mark.parametrize("tier", TIERS, ids=TIER_IDS)
def test_the_driver_shows_less_memory_than_the_name_says(tier: GpuTier) -> None:
    nominal = {"t4": 16, "l4": 24, "a100-40gb": 40, "a100-80gb": 80, "h100-80gb": 80}
    nominal |= {"h200-141gb": 141, "b200": 180, "rtx-pro-6000": 96}
    assert 0.9 * nominal[tier.gpu] < tier.gpu_memory_gib < nominal[tier.gpu]


def test_the_80_gb_a100_is_not_called_tesla() -> None:
    # nvidia-tesla-a100-80gb does not exist, but people write it.
    assert gpu_tiers()["a100-80gb"].accelerator_type == "nvidia-a100-80gb"
    assert gpu_tiers()["a100-40gb"].accelerator_type == "nvidia-tesla-a100"


def test_small_h100_machines_are_not_sold_on_demand() -> None:
    for count in ("", "-x2", "-x4"):
        assert "on-demand" not in gpu_tiers()[f"h100-80gb{count}"].provisioning
    assert "on-demand" in gpu_tiers()["h100-80gb-x8"].provisioning


@pytest.mark.parametrize("tier", TIERS, ids=TIER_IDS)
def test_spot_quota_is_the_preemptible_one(tier: GpuTier) -> None:
    assert tier.spot_quota_metric == f"PREEMPTIBLE_{tier.quota_metric}"
    assert tier.quota_metric.startswith("NVIDIA_")


@pytest.mark.parametrize("tier", TIERS, ids=TIER_IDS)
def test_every_tier_is_somewhere(tier: GpuTier) -> None:
    assert any(zones_with(tier.accelerator_type, region) for region in regions())


def test_zones_are_those_of_their_region() -> None:
    accelerators = {tier.accelerator_type for tier in TIERS}
    for region in regions().values():
        assert set(region.accelerator_zones) <= accelerators
        for zones in region.accelerator_zones.values():
            assert zones
            assert set(zones) <= set(region.zones)


def test_80_gb_a100s_are_in_two_zones_of_us_central1() -> None:
    zones = zones_with("nvidia-a100-80gb", "us-central1")
    assert zones == ("us-central1-a", "us-central1-c")


def test_an_unknown_region_is_unknown_and_a_known_one_without_the_gpu_is_empty() -> None:
    assert zones_with("nvidia-l4", "africa-south1") is None
    assert zones_with("nvidia-a100-80gb", "us-east1") == ()


def test_a_gpu_whose_zones_are_partly_known_is_never_said_to_be_absent() -> None:
    for accelerator in zone_table().partly_known:
        assert () not in {zones_with(accelerator, region) for region in regions()}


def test_prices_are_of_known_machines_tiers_and_regions() -> None:
    for row in prices().rows:
        assert row.region in regions()
        machine = machine_types()[row.machine_type]
        if row.tier is None:
            assert machine.id.startswith(("e2-", "n2-"))
        else:
            assert machine.id in gpu_tiers()[row.tier].machine_types
            assert zones_with(gpu_tiers()[row.tier].accelerator_type, row.region)


def test_there_is_one_price_a_machine_tier_and_region() -> None:
    keys = [(row.machine_type, row.tier, row.region) for row in prices().rows]
    assert len(set(keys)) == len(keys)


def test_spot_is_cheaper() -> None:
    for row in prices().rows:
        if row.spot_usd is not None and row.on_demand_usd is not None:
            assert 0 < row.spot_usd < row.on_demand_usd


@pytest.mark.parametrize("tier", TIERS, ids=TIER_IDS)
def test_every_machine_of_a_tier_has_a_price_in_us_central1(tier: GpuTier) -> None:
    for machine in tier.machine_types:
        spot = prices().hourly(tier.id, "us-central1", spot=True, machine_type=machine)
        on_demand = prices().hourly(tier.id, "us-central1", machine_type=machine)
        if tier.gpu == "rtx-pro-6000":
            assert (spot, on_demand) == (None, None)  # no public price was found
        else:
            assert spot is not None
            assert on_demand is not None or tier.gpu == "b200"


@pytest.mark.parametrize(
    ("tier", "on_demand", "spot"),
    [
        ("t4", "0.73", "0.28"),
        ("l4", "1.00", "0.40"),
        ("l4-x2", "2.00", "0.80"),
        ("a100-40gb", "3.67", "1.80"),
        ("a100-40gb-x2", "7.35", "3.61"),
        ("a100-80gb", "5.03", "2.51"),
        ("a100-80gb-x2", "10.06", "5.03"),
        ("h100-80gb", "10.98", "3.35"),
        ("h100-80gb-x8", "87.83", "26.83"),
    ],
)
def test_prices_are_those_of_the_public_list(tier: str, on_demand: str, spot: str) -> None:
    cent = Decimal("0.01")
    for spotted, expected in ((False, on_demand), (True, spot)):
        price = prices().hourly(tier, "us-central1", spotted)
        assert price is not None
        assert price.quantize(cent) == Decimal(expected)


def test_a_machine_without_gpus_has_its_own_price() -> None:
    assert prices().hourly("e2-standard-8", "us-central1") == Decimal("0.268")
    assert prices().hourly("e2-standard-8", "us-central1", spot=True) is None


def test_a_price_that_is_not_listed_is_none() -> None:
    assert prices().hourly("l4", "africa-south1") is None
    assert prices().hourly("n1-standard-8", "us-central1") is None
    assert prices().row("no-such-tier", "us-central1") is None


def test_prices_and_zones_are_dated() -> None:
    assert prices().date.year >= 2026
    assert zone_table().date.year >= 2026
    assert prices().source
    assert zone_table().source
