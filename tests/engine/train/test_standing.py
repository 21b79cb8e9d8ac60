"""When a run is measured, and when it ends early."""

from __future__ import annotations

from engine.train.plan import Budget, default_iterations
from engine.train.standing import Standing


def run(budget: Budget, scores: list[float], seconds: float = 1.0) -> tuple[Standing, list[int]]:
    """Steps to the end of the budget or until it is fruitless; where the run stands and was measured."""
    at, measured = Standing(), list[int]()
    while True:
        if at.is_time_to_measure(budget):
            measured.append(at.step)
            at = at.measured(scores[min(len(measured), len(scores)) - 1])
        if at.is_fruitless(budget) or budget.progress(at.step, at.seconds) >= 1.0:
            return at, measured
        at = at.stepped(seconds, skipped=False)


def test_that_a_run_is_measured_at_even_distances_and_at_its_end() -> None:
    rising = [n / 100 for n in range(100)]
    assert run(Budget(iterations=80), rising)[1] == [20, 30, 40, 50, 60, 70, 80]
    assert run(Budget(minutes=1), rising, seconds=6.0)[1] == [3, 5, 7, 9, 10]
    assert run(Budget(iterations=1), rising)[1] == [1]


def test_that_a_run_ends_when_four_measurements_bring_nothing() -> None:
    at, measured = run(Budget(iterations=80), [0.2, 0.5, 0.5, 0.4, 0.3, 0.5, 0.9])
    assert (measured[-1], at.best, at.best_step, at.fruitless) == (70, 0.5, 30, 4)


def test_that_a_later_better_measurement_starts_the_count_again() -> None:
    at, measured = run(Budget(iterations=80), [0.5, 0.4, 0.3, 0.6, 0.1, 0.1, 0.1])
    assert (measured[-1], at.best_step, at.fruitless) == (80, 50, 3)


def test_that_no_run_ends_before_its_least_share() -> None:
    at = Standing()
    budget = Budget(iterations=100)
    for step in (30, 31, 32, 33, 34):
        while at.step < step:
            at = at.stepped(1.0, skipped=False)
        at = at.measured(0.0)
    assert at.fruitless == 4
    assert not at.is_fruitless(budget)
    while at.step < 60:
        at = at.stepped(1.0, skipped=False)
    assert at.is_fruitless(budget)


def test_that_a_resumed_run_that_is_given_longer_goes_on_measuring() -> None:
    at, _ = run(Budget(iterations=40), [0.1])
    longer = Budget(iterations=80)
    assert not at.is_time_to_measure(longer)
    for _ in range(10):
        at = at.stepped(1.0, skipped=False)
    assert at.is_time_to_measure(longer)


def test_that_more_pictures_are_trained_on_for_longer() -> None:
    assert [default_iterations(count) for count in (5, 20, 21, 100, 500, 501)] == [
        300,
        300,
        800,
        800,
        3000,
        6000,
    ]
