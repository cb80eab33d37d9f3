import numpy as np
import pytest

from tianji.calibration.least_squares import solve


def test_a_line_through_exact_points_is_found() -> None:
    places = np.array([0.0, 1.0, 2.0])
    design = np.stack([np.ones(3), places], axis=1)
    measured = 3.0 - 2.0 * places
    wide = np.full(2, 100.0)
    found = solve(lambda x: design @ x - measured, lambda x: design, np.zeros(2), -wide, wide)
    assert found == pytest.approx([3.0, -2.0])


def test_a_curved_problem_is_solved() -> None:
    # Rosenbrock's valley as residuals: the least is at (1, 1).
    def residuals(x: np.ndarray) -> np.ndarray:
        return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])

    def jacobian(x: np.ndarray) -> np.ndarray:
        return np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])

    found = solve(residuals, jacobian, np.array([-1.2, 1.0]), np.full(2, -5.0), np.full(2, 5.0))
    assert found == pytest.approx([1.0, 1.0], abs=1e-4)


def test_an_unknown_rests_at_its_bound() -> None:
    found = solve(lambda x: x - 3.0, lambda x: np.eye(1), np.zeros(1), np.array([-1.0]), np.array([2.0]))
    assert found.tolist() == [2.0]
