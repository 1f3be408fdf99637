"""Make the example's data: daily counters of players, a few of them labelled, in the pipeline's five inputs.

    python generate.py --output FOLDER [--users 8000] [--days 60] [--separation 1.5] [--holdout 0] [--seed 0]

Risky players look like normal or heavy ones until late, then escalate in bursts. A tenth of the other labels is
wrong, and the unlabelled pool holds kinds that no label names: bots and players who return. Needs numpy only;
the same arguments always give the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

COUNTERS = ("logins", "games", "minutes", "deposit", "loss")
LABELED = {"dormant": 790, "normal": 651, "heavy": 340, "risky": 150}
POOL = {"dormant": 0.40, "normal": 0.36, "heavy": 0.18, "risky": 0.01, "bot": 0.03, "returner": 0.02}
WRONG_LABELS = 0.10  # of dormant, normal and heavy
FIRST_DAY = np.datetime64("2026-01-05")  # a Monday
DIGITS = 6
# what a player of each kind does on a usual day, and how much the players differ
USUAL = np.array([1.2, 6.0, 40.0, 12.0, 8.0])
LEVEL = {"dormant": 0.12, "normal": 1.0, "heavy": 4.0, "bot": 7.0, "returner": 1.0}
SPREAD = 0.55
ESCALATION = np.array([0.5, 0.7, 0.8, 1.3, 1.5])  # by counter: the money more than the time


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="the folder for data_risky and the others")
    parser.add_argument("--users", type=int, default=8000, help="labelled and unlabelled ones together")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--separation", type=float, default=1.5, help="how strongly risky players escalate")
    parser.add_argument(
        "--holdout", type=int, default=0, help="further users, for data_holdout and truth.csv"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    generator = np.random.default_rng(arguments.seed)
    sizes = cohorts(arguments.users, generator)
    if arguments.holdout:
        sizes["data_holdout"] = shares(arguments.holdout)
    ids = generator.permutation(sum(sum(kinds.values()) for kinds in sizes.values()))
    truth, start = [], 0
    for folder, kinds in sizes.items():
        names = np.repeat(list(kinds), list(kinds.values()))
        counts = np.concatenate([players(k, n, arguments, generator) for k, n in kinds.items() if n])
        users = ids[start : start + len(names)]
        order = np.argsort(users)
        write(arguments.output / folder, users[order], counts[order], generator)
        start += len(names)
        truth += [f"u{user:07d},{folder},{name}\n" for user, name in zip(users, names, strict=True)]
    if arguments.holdout:
        (arguments.output / "truth.csv").write_text("user,input,kind\n" + "".join(truth), encoding="utf-8")
    return 0


def cohorts(users: int, generator: np.random.Generator) -> dict[str, dict[str, int]]:
    """How many players of which kind are in each input; labelled ones shrink where ``users`` are few."""
    scale = min(1.0, 0.5 * users / sum(LABELED.values()))
    labeled = {kind: max(round(count * scale), 1) for kind, count in LABELED.items()}
    sizes = {}
    for kind, count in labeled.items():
        if kind == "risky":
            sizes[f"data_{kind}"] = {kind: count}
            continue
        others = [other for other in ("dormant", "normal", "heavy") if other != kind]
        wrong = round(count * WRONG_LABELS)
        first = int(generator.binomial(wrong, 0.5))
        sizes[f"data_{kind}"] = {kind: count - wrong, others[0]: first, others[1]: wrong - first}
    return sizes | {"data_unlabeled": shares(max(users - sum(labeled.values()), 1))}


def shares(users: int) -> dict[str, int]:
    counts = {kind: round(users * share) for kind, share in POOL.items()}
    counts["normal"] += users - sum(counts.values())
    return counts


def players(
    kind: str, count: int, arguments: argparse.Namespace, generator: np.random.Generator
) -> np.ndarray[Any, Any]:
    """Counters [count, days, 5] of players of one kind, whole numbers."""
    days = np.arange(arguments.days, dtype=np.float32)
    like = generator.choice(["normal", "heavy"], count, p=[0.7, 0.3]) if kind == "risky" else [kind] * count
    level = np.array([LEVEL[one] for one in like]) * generator.lognormal(0, SPREAD, count)
    taste = generator.lognormal(0, 0.35, (count, 1, len(COUNTERS)))
    weekend = generator.uniform(0.0, 0.0 if kind == "bot" else 0.9, (count, 1))
    growth = generator.normal(0, 0.0 if kind == "bot" else 0.35, (count, 1)) * (days / arguments.days - 0.5)
    rhythm = np.exp(growth) * (1 + weekend * (days % 7 >= 5))
    scale = (level[:, None] * rhythm)[:, :, None] * taste * USUAL
    if kind == "risky":
        scale *= np.exp(escalation(count, days, arguments.separation, generator))
    elif kind == "returner":
        back = generator.uniform(0.3, 0.8, (count, 1)) * arguments.days
        scale *= np.where(days < back, 0.03, 1.0)[:, :, None]
    elif kind != "bot":  # everybody has wild weeks: bursts alone are no sign
        scale *= np.exp(generator.uniform(0, 1.0, (count, 1)) * bursts(count, days, generator))[:, :, None]
    noise = 0.08 if kind == "bot" else 0.55
    wobble = generator.standard_normal((count, len(days), len(COUNTERS)), np.float32) * np.float32(noise)
    values = scale.astype(np.float32) * np.exp(wobble)
    values += generator.random(values.shape, np.float32)  # rounds up as often as the fraction says
    return np.minimum(values, 10**DIGITS - 1).astype(np.uint32)


def escalation(
    count: int, days: np.ndarray[Any, Any], separation: float, generator: np.random.Generator
) -> np.ndarray[Any, Any]:
    """Log factors [count, days, 5] from an onset in the last third or so, with bursts on top."""
    onset = generator.uniform(0.55, 0.85, (count, 1)) * len(days)
    ramp = np.clip((days - onset) / (0.12 * len(days)), 0, 1)
    strength = separation * generator.uniform(0.25, 1.0, (count, 1))
    burst = 0.6 * bursts(count, days, generator) * (days >= onset)
    return ((ramp + burst) * strength)[:, :, None] * ESCALATION


def bursts(count: int, days: np.ndarray[Any, Any], generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """[count, days]: 1 on three days or so from each of a few days on, 0 else."""
    starts = generator.random((count, len(days)), np.float32) < 0.05
    return np.float32(1) * (starts | np.roll(starts, 1, 1) | np.roll(starts, 2, 1))


def write(
    folder: Path, users: np.ndarray[Any, Any], counts: np.ndarray[Any, Any], generator: np.random.Generator
) -> None:
    """Telemetry as a player's devices send it: nothing before one has joined, some days missing."""
    days = counts.shape[1]
    late = generator.random(len(users)) < 0.15
    joined = np.where(late, generator.integers(0, max(days // 3, 1), len(users)), 0)
    new = generator.random(len(users)) < 0.004  # with too short a history to say anything
    joined = np.where(new, days - generator.integers(1, 10, len(users)).clip(max=days), joined)
    sent = (np.arange(days) >= joined[:, None]) & (generator.random((len(users), days), np.float32) > 0.03)
    folder.mkdir(parents=True, exist_ok=True)
    stamps = np.datetime_as_string(FIRST_DAY + np.arange(days)).astype("S10")
    stamps = stamps.view(np.uint8).reshape(days, 10)
    with (folder / "telemetry.csv").open("wb") as stream:
        stream.write(f"user,day,{','.join(COUNTERS)}\n".encode())
        for chunk in np.array_split(np.arange(len(users)), len(users) // 4000 + 1):
            who, when = np.nonzero(sent[chunk])
            stream.write(lines(users[chunk][who], stamps[when], counts[chunk][who, when]))


def lines(users: np.ndarray[Any, Any], stamps: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> bytes:
    """CSV rows, made a column of characters at a time; those that stay zero are left out."""
    text = np.zeros((len(users), 9 + 11 + counts.shape[1] * (DIGITS + 1)), np.uint8)
    text[:, 0] = ord("u")
    for place in range(7):
        text[:, 7 - place] = users // 10**place % 10 + ord("0")
    text[:, 8] = ord(",")
    text[:, 9:19] = stamps
    for counter in range(counts.shape[1]):
        end = 20 + (counter + 1) * (DIGITS + 1) - 1
        text[:, end - DIGITS - 1] = ord(",")
        rest = counts[:, counter]
        for place in range(DIGITS):
            if place and not rest.any():
                break
            digit = (rest % 10 + ord("0")).astype(np.uint8)
            text[:, end - 1 - place] = digit if not place else np.where(rest, digit, 0)
            rest = rest // 10
    text[:, -1] = ord("\n")
    return text[text != 0].tobytes()


if __name__ == "__main__":
    raise SystemExit(main())
