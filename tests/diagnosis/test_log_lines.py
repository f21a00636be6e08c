"""Log lines of several sources in one order, whatever clock and form they were written with."""

from datetime import UTC, datetime, timedelta

import pytest

from diagnosis.log_lines import Log, dated, in_order, zone_of

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
STARTED = datetime(2026, 11, 29, 11, 50, 2, tzinfo=UTC)
# A real one of Ray Serve 2.60.0 and one of vLLM 0.29.0, in the zone of Ray's images.
SERVE = "INFO 2026-11-29 03:50:04,123 chat_LLMServer r1 -- Started."
ENGINE = "(EngineCore pid=7) ERROR 11-29 03:50:09 [core.py:1350] ValueError: no room"


def texts(log: Log) -> list[tuple[str, str]]:
    return [(f"{line.at:%H:%M:%S}", line.text) for line in dated(log, NOW)]


def test_kubernetes_times_are_taken_off_the_line() -> None:
    log = Log(source="pod", of="w1", text="2026-11-29T11:50:01.123456789Z ray start\n")
    assert texts(log) == [("11:50:01", "ray start")]


@pytest.mark.parametrize("line", [SERVE, ENGINE])
def test_local_times_become_utc_by_the_start_of_a_whole_log(line: str) -> None:
    log = Log(source="replica", of="r1", text=line, started=STARTED, is_whole=True)
    [found] = dated(log, NOW)
    assert (found.at.hour, found.at.minute) == (11, 50)


def test_a_cut_log_is_of_the_zone_of_ray_s_images_if_that_is_not_the_future() -> None:
    assert zone_of(Log(source="replica", of="r1", text=SERVE), NOW) == timedelta(hours=8)
    of_utc = SERVE.replace("03:50", "11:50")
    assert zone_of(Log(source="replica", of="r1", text=of_utc), NOW) == timedelta(0)


def test_a_line_without_a_time_has_that_of_the_line_above() -> None:
    text = f'{ENGINE}\nTraceback (most recent call last):\n  File "a.py"\n'
    log = Log(source="engine", of="a1", text=text, started=STARTED, is_whole=True)
    lines = list(dated(log, NOW))
    assert len({line.at for line in lines}) == 1
    assert all(line.is_error for line in lines)


def test_what_is_no_error_ends_one() -> None:
    text = f"{ENGINE}\n  File a.py\n{SERVE}"
    log = Log(source="engine", of="a1", text=text, started=STARTED, is_whole=True)
    assert [line.is_error for line in dated(log, NOW)] == [True, True, False]


def test_lines_of_december_are_of_last_year_in_january() -> None:
    now = datetime(2027, 1, 2, tzinfo=UTC)
    log = Log(source="engine", of="a1", text="ERROR 12-31 23:59:09 [core.py:1] x")
    [line] = dated(log, now, timedelta(0))
    assert line.at.year == 2026


def test_logs_are_merged_by_time_and_each_keeps_its_order() -> None:
    one = list(
        dated(
            Log(
                source="pod",
                of="w1",
                text="2026-11-29T11:50:01Z a\n2026-11-29T11:50:05Z c\n2026-11-29T11:50:04Z d\n",
            ),
            NOW,
        )
    )
    other = list(dated(Log(source="pod", of="w2", text="2026-11-29T11:50:03Z b\n"), NOW))
    assert [line.text for line in in_order([one, other])] == ["a", "b", "c", "d"]


def test_no_token_and_no_colour_is_in_a_line() -> None:
    token = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    text = f"2026-11-29T11:50:01Z \x1b[36mkey {token}\x1b[0m\n"
    [line] = dated(Log(source="pod", of="w1", text=text), NOW)
    assert line.text == "key [secret]"


@pytest.mark.parametrize(
    "text", ["", "\n\n", "2026-99-99 99:99:99 x", "02-30 10:00:00 x", "\x00\x01", "2026-11-29"]
)
def test_odd_lines_are_no_error(text: str) -> None:
    list(dated(Log(source="engine", of="a1", text=text), NOW))
