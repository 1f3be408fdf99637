"""The example's data: always the same, in five inputs, with what makes the task hard in it."""

from __future__ import annotations

import csv

import numpy as np
import pytest


def generate(run, folder, *arguments):
    ran = run("example/generate.py", folder, "--output", str(folder / "out"), *arguments)
    assert ran.returncode == 0, ran.stderr
    return folder / "out"


def table(folder):
    with (folder / "telemetry.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def made(run, tmp_path_factory):
    arguments = ("--users", "1500", "--holdout", "3000", "--seed", "3")
    return generate(run, tmp_path_factory.mktemp("made"), *arguments)


def test_the_same_arguments_give_the_same_files(run, tmp_path):
    texts = [
        {path.parent.name: path.read_bytes() for path in generate(run, tmp_path / name, *more).rglob("*.csv")}
        for name, more in (
            ("a", ("--users", "60", "--seed", "1")),
            ("b", ("--users", "60", "--seed", "1")),
            ("c", ("--users", "60", "--seed", "2")),
        )
    ]
    assert texts[0] == texts[1]
    assert all(texts[0][name] != texts[2][name] for name in texts[0])
    assert set(texts[0]) == {"data_dormant", "data_normal", "data_heavy", "data_risky", "data_unlabeled"}


def test_rows_are_whole(made):
    for name in ("data_risky", "data_unlabeled"):
        rows = table(made / name)
        assert list(rows[0]) == ["user", "day", "logins", "games", "minutes", "deposit", "loss"]
        keys = {(row["user"], row["day"]) for row in rows}
        assert len(keys) == len(rows)
        assert {row["day"] for row in rows} == {str(np.datetime64("2026-01-05") + day) for day in range(60)}
        assert all(str(int(row[name])) == row[name] for row in rows for name in list(row)[2:])


def test_users_are_in_one_input_and_tell_nothing_by_their_name(made):
    with (made / "truth.csv").open() as stream:
        truth = list(csv.DictReader(stream))
    assert len({row["user"] for row in truth}) == len(truth) == 4500
    for name in ("data_risky", "data_holdout"):
        assert {row["user"] for row in table(made / name)} == {
            row["user"] for row in truth if row["input"] == name
        }
    risky = sorted(int(row["user"][1:]) for row in truth if row["input"] == "data_risky")
    assert len(risky) > 50 and 0.35 < np.mean(risky) / 4500 < 0.65
    wrong = [row["kind"] != "heavy" for row in truth if row["input"] == "data_heavy"]
    assert np.mean(wrong) == pytest.approx(0.1, abs=0.01)
    assert {row["kind"] for row in truth if row["input"] == "data_unlabeled"} == {
        "dormant", "normal", "heavy", "risky", "bot", "returner",
    }  # fmt: skip
    assert sum(row["kind"] == "risky" for row in truth if row["input"] == "data_holdout") == 30


def test_risky_players_escalate_late(made):
    def growth(name):
        rows, days = table(made / name), np.datetime64("2026-01-05") + np.arange(60)
        at = {str(day): number for number, day in enumerate(days)}
        loss = np.full((len({row["user"] for row in rows}), 60), np.nan)
        users: dict[str, int] = {}
        for row in rows:
            loss[users.setdefault(row["user"], len(users)), at[row["day"]]] = int(row["loss"])
        early, middle, late = (
            np.nanmean(loss[:, part]) for part in (slice(15), slice(15, 30), slice(48, 60))
        )
        return middle / early, late / middle

    before, after = growth("data_risky")
    assert before == pytest.approx(1, abs=0.35) and after > 2
    assert growth("data_heavy")[1] == pytest.approx(1, abs=0.3)


def test_some_histories_are_short_and_some_days_missing(made):
    days: dict[str, int] = {}
    for row in table(made / "data_unlabeled"):
        days[row["user"]] = days.get(row["user"], 0) + 1
    counts = np.array(list(days.values()))
    assert 0 < (counts < 10).sum() < 0.02 * len(counts)
    assert 55 < np.median(counts) < 60 and counts.max() <= 60
