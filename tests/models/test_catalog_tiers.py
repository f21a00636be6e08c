"""GPU tiers, machine types, zones and prices are consistent."""

from decimal import Decimal

import pytest

from models.catalog import (
    GpuTier,
    data_file,
    disk_quotas,
    gpu_tiers,
    machine_type,
    machine_types,
    prices,
    regions,
    why_no_machine_type,
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
        *("h100-mega-80gb-x8", "h200-141gb-x8", "b200-x8"),
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
    # N4: https://github.com/hashicorp/terraform-provider-google/issues/19890
    without = ("a3-ultragpu-", "a4-", "g4-", "n4-", "n4d-", "c4-", "c4d-")
    assert hyperdisk == {id_ for id_ in machine_types() if id_.startswith(without)}
    assert disk_quotas() == {"pd-balanced": "SSD_TOTAL_GB", "hyperdisk-balanced": "HDB_TOTAL_GB"}


def test_vcpus_of_machines_without_gpus_have_a_quota() -> None:
    quotas = {machine.series: machine.vcpu_quota for machine in machine_types().values()}
    assert (quotas["n1"], quotas["e2"], quotas["n2"]) == ("CPUS", "CPUS", "N2_CPUS")
    assert quotas["n4"] == "CPUS_PER_VM_FAMILY.N4"
    for machine in machine_types().values():
        assert (machine.vcpu_quota is None) == machine.has_gpus


def test_a_machine_is_listed_under_its_series() -> None:
    for name, series in data_file.read("machine_types.yaml")["with_gpus"].items():
        assert all(machine.startswith(f"{name}-") for machine in series["machine_types"])
    assert all(id_.startswith(f"{row.series}-") for id_, row in machine_types().items())


@pytest.mark.parametrize(
    ("machine", "vcpus", "gib"),
    [
        ("n1-highmem-8", 8, 52),
        ("n1-highcpu-16", 16, 14.4),
        ("e2-highcpu-8", 8, 8),
        ("n4-highcpu-8", 8, 16),
        # https://cloud.google.com/sap/docs/certifications-sap-apps
        ("n2d-highmem-48", 48, 384),
        ("c3-standard-22", 22, 88),
        ("c3d-highmem-30", 30, 240),
        ("c4-standard-2", 2, 7),
        ("c4-highmem-4", 4, 31),
        ("c4-standard-288", 288, 1080),
        ("c4d-standard-4", 4, 15),
        ("c4d-highmem-8", 8, 63),
        ("c4d-highmem-384", 384, 3024),
    ],
)
def test_a_machine_has_the_size_that_google_sells(machine: str, vcpus: int, gib: float) -> None:
    assert machine_types()[machine].vcpus == vcpus
    assert machine_types()[machine].memory_gib == gib


@pytest.mark.parametrize(
    ("name", "vcpus", "gib", "disk"),
    [
        ("custom-8-30720", 8, 30, "pd-balanced"),
        ("n1-custom-1-1024", 1, 1, "pd-balanced"),
        ("n2-custom-6-12288", 6, 12, "pd-balanced"),
        ("n2-custom-8-131072-ext", 8, 128, "pd-balanced"),
        ("n2d-custom-32-65536", 32, 64, "pd-balanced"),
        ("e2-custom-4-8192", 4, 8, "pd-balanced"),
        ("n4-custom-8-20480", 8, 20, "hyperdisk-balanced"),
    ],
)
def test_a_custom_machine_is_read_from_its_name(
    name: str, vcpus: int, gib: float, disk: str
) -> None:
    machine = machine_type(name)
    assert machine is not None
    assert (machine.vcpus, machine.memory_gib, machine.boot_disk) == (vcpus, gib, disk)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("n2-custom-7-14336", "an even number"),
        ("n2-custom-34-69632", "multiples of 4 above 32"),
        ("n2-custom-8-131072", "0.5 to 8 GiB"),
        ("n2-custom-8-12345", "steps of 256 MiB"),
        ("e2-custom-48-98304", "up to 32"),
        ("custom-0-1024", "is not sold"),
        ("c3-custom-8-16384", "Google sells none of the series C3"),
        ("c4a-standard-8", "has Arm processors"),
        ("t2a-standard-8", "has Arm processors"),
        ("e2-standard-6", "is not a machine type of the catalogue"),
        ("", "is not a machine type of the catalogue"),
    ],
)
def test_a_machine_that_is_not_sold_is_none_and_has_a_reason(name: str, words: str) -> None:
    assert machine_type(name) is None
    assert words in why_no_machine_type(name)


@pytest.mark.parametrize(
    ("tier", "machine", "carried"),
    [
        # https://cloud.google.com/compute/docs/gpus#other_available_nvidia_gpu_models
        ("t4", "n1-standard-32", True),
        ("t4", "n1-highmem-16", True),
        ("t4", "n1-highcpu-16", True),
        ("t4", "custom-12-46080", True),
        ("t4", "n1-standard-64", False),
        ("t4-x2", "n1-highmem-64", False),
        ("t4-x4", "n1-standard-96", True),
        ("t4", "n2-standard-8", False),
        ("l4", "n1-standard-8", False),
        ("l4", "g2-standard-12", True),
    ],
)
def test_t4s_go_on_n1_machines_within_googles_limits(
    tier: str, machine: str, carried: bool
) -> None:
    found = machine_type(machine)
    assert found is not None
    assert gpu_tiers()[tier].carried_by(found) == carried


def test_a_machine_with_built_in_gpus_belongs_to_one_tier() -> None:
    owners: dict[str, set[str]] = {}
    for tier in TIERS:
        for machine in tier.machine_types:
            owners.setdefault(machine, set()).add(tier.id)
    shared = {machine for machine, tiers in owners.items() if len(tiers) > 1}
    # GPUs are attached only to N1 machines.
    assert {machine_types()[machine].series for machine in shared} == {"n1"}


@pytest.mark.parametrize("tier", TIERS, ids=TIER_IDS)
def test_the_driver_shows_less_memory_than_the_name_says(tier: GpuTier) -> None:
    nominal = {"t4": 16, "l4": 24, "a100-40gb": 40, "a100-80gb": 80, "h100-80gb": 80}
    nominal |= {"h100-mega-80gb": 80, "h200-141gb": 141, "b200": 180, "rtx-pro-6000": 96}
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
def test_the_quota_is_that_of_the_gpu_and_on_spot_the_preemptible_one(tier: GpuTier) -> None:
    # https://cloud.google.com/compute/resource-usage#gpu_quota; newer GPUs count by family.
    own = {
        "t4": "NVIDIA_T4",
        "l4": "NVIDIA_L4",
        "a100-40gb": "NVIDIA_A100",
        "a100-80gb": "NVIDIA_A100_80GB",
    }
    families = {
        "h100-80gb": "NVIDIA_H100",
        "h100-mega-80gb": "NVIDIA_H100_MEGA",
        "h200-141gb": "NVIDIA_H200",
        "b200": "NVIDIA_B200",
        "rtx-pro-6000": "NVIDIA_RTX_PRO_6000",
    }
    if tier.gpu in own:
        assert tier.quota_metric == f"{own[tier.gpu]}_GPUS"
    else:
        assert tier.quota_metric == f"GPUS_PER_GPU_FAMILY.{families[tier.gpu]}"
    family = (own | families)[tier.gpu]
    assert tier.spot_quota_metric == f"PREEMPTIBLE_{family}_GPUS"


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
        if tier.gpu in ("rtx-pro-6000", "h100-mega-80gb"):
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


@pytest.mark.parametrize(
    ("machine", "region", "usd"),
    [
        ("n4-standard-2", "us-central1", "0.0907"),
        ("n4-highmem-80", "us-central1", "4.7608"),
        ("n4-standard-16", "europe-west4", "0.7619"),
        ("c4-standard-192", "us-east1", "9.4884"),
        ("c4d-highmem-32", "us-central1", "1.9274"),
        ("c3-standard-22", "us-west1", "1.1089"),
        ("c2-standard-16", "us-central1", "0.8352"),
        ("c3d-standard-8", "us-central1", "0.3632"),
        ("n2d-standard-224", "us-central1", "9.4631"),
    ],
)
def test_unit_prices_give_the_rows_that_were_read(machine: str, region: str, usd: str) -> None:
    assert prices().hourly(machine, region) == Decimal(usd)


def test_an_n1_machine_with_t4s_costs_the_machine_and_its_gpus() -> None:
    bare = prices().hourly("n1-highmem-8", "us-central1")
    with_gpus = prices().hourly("t4-x2", "us-central1", machine_type="n1-highmem-8")
    assert bare is not None
    assert with_gpus == bare + 2 * Decimal("0.35")
    assert prices().hourly("l4", "us-central1", machine_type="n1-highmem-8") is None


def test_a_machine_without_gpus_has_its_own_price() -> None:
    assert prices().hourly("e2-standard-8", "us-central1") == Decimal("0.268")
    assert prices().hourly("e2-standard-8", "us-central1", spot=True) is None


def test_a_price_that_is_not_listed_is_none() -> None:
    assert prices().hourly("l4", "africa-south1") is None
    assert prices().hourly("c2d-standard-8", "us-central1") is None
    assert prices().hourly("n4-custom-8-20480", "us-central1") is None
    assert prices().hourly("n4-standard-8", "us-east4") is None
    assert prices().row("no-such-tier", "us-central1") is None


def test_prices_and_zones_are_dated() -> None:
    assert prices().date.year >= 2026
    assert zone_table().date.year >= 2026
    assert prices().source
    assert zone_table().source


def test_a_machine_with_local_ssds_is_that_without() -> None:
    plain, with_ssds = machine_type("c4-standard-8"), machine_type("c4-standard-8-lssd")
    assert plain is not None
    assert with_ssds == plain.model_copy(update={"id": "c4-standard-8-lssd"})
    assert machine_type("e2-standard-8-lssd") is None
