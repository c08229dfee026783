"""A window of training steps as an optimisation model: what may be asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import ArrayLike, NDArray
from pyomo.core.expr.numeric_expr import LinearExpression

from agtopt.arguments import typed
from agtopt.attacks import Attack
from agtopt.compiler.attained import leading_datasets
from agtopt.compiler.custom import bound_objective
from agtopt.compiler.export import units_of, write_model
from agtopt.compiler.size import Size, counted_size
from agtopt.compiler.violation import violation
from agtopt.domains import Interval
from agtopt.domains.known import Address
from agtopt.errors import InvalidInputError
from agtopt.formulation.affine import AffineArray
from agtopt.kinds import Formulation
from agtopt.problem import Dataset, Problem
from agtopt.problem.checks import instance
from agtopt.solvers import SolveResult, choose
from agtopt.symbolic.operations import SymbolicOperations
from agtopt.symbolic.protocol import chosen_values
from agtopt.symbolic.quantity import Quantity
from agtopt.tolerances import size_of, unit_of
from agtopt.training.concrete import state_trajectory


@dataclass(eq=False)
class CompiledModel:
    """The steps start … stop−1 of a training run as an optimisation model.

    Attributes
    ----------
    problem : Problem
    kind : Formulation
    start, stop : int
    pyomo : pyomo.environ.ConcreteModel
        Blocks ``data``, ``parameter[t]`` and ``step[t]``; free to browse and to extend.
    steps : list of Interval
        The interval domain of the state that the model was built with, for t = start … stop.
    written : list of pyomo.environ.Constraint
        The rows that are not the user's.
    """

    problem: Problem
    kind: Formulation
    start: int
    stop: int
    pyomo: Any
    steps: list[Interval]
    written: list[Any]
    _states: list[AffineArray] = field(repr=False)
    _operations: SymbolicOperations = field(repr=False)
    _aim: tuple[Any, NDArray[np.float64]] | None = field(default=None, repr=False)

    @property
    def size(self) -> Size:
        """Variables and constraints, counted."""
        return counted_size(self.pyomo)

    @property
    def quadratic(self) -> bool:
        """Whether a product is kept: only a solver that proves bounds of nonconvex models may take
        it."""
        return self.size.quadratic > 0

    @property
    def quantities(self) -> Mapping[Address, Quantity]:
        """Pre-activations, errors and descent directions by (step, name), e.g. ``(3,
        "forward.dense1")``, each with its interval."""
        return self._operations.named

    @property
    def units(self) -> Mapping[str, float]:
        """The variables that solvers see in a unit of their own, by name: their value times it is
        what they stand for."""
        return units_of(self.pyomo)

    @property
    def decisive(self) -> bool:
        """Whether the binaries of the adversary decide the whole run: training starts from a point
        and every choice is discrete."""
        start = self.pyomo.parameter[self.start].component_data_objects(pyo.Var)
        choices = self.pyomo.data.component_data_objects(pyo.Var)
        return next(start, None) is None and all(variable.is_binary() for variable in choices)

    def direction(self, objective: Any) -> NDArray[np.float64] | None:
        """The direction of θ_stop, shape (p,), that an objective minimises; None where it is
        another quantity, or one of your own."""
        if self._aim is None or objective.expr is not self._aim[0]:
            return None
        return self._aim[1]

    def minimise(self, direction: ArrayLike, address: Address | None = None) -> None:
        """Set the objective to min direction · θ_stop, or min direction · quantity.

        Parameters
        ----------
        direction : array_like, shape (p,) or as many as the quantity has entries
        address : tuple, optional
            One of `quantities`; the final parameters by default.

        Raises
        ------
        InvalidInputError
            If there is no such quantity, or the direction has another shape.
        """
        weights = np.asarray(direction, dtype=np.float64)
        if address is not None and address not in self.quantities:
            raise InvalidInputError(
                f"address: {address!r} is not in the model; it has {sorted(self.quantities)}"
            )
        theta = self._theta if address is None else self.quantities[address].affine.reshape(-1)
        if weights.shape != theta.shape:
            raise InvalidInputError(
                f"direction: shape {weights.shape} does not fit; it must be {theta.shape}"
            )
        chosen = np.flatnonzero(weights)
        value = (theta[chosen] * weights[chosen]).total(1)[np.newaxis]
        # S5: a bound of the written objective is one of the true value; solvers add up the
        # coefficients of a variable that occurs twice.
        sums = max(int(np.count_nonzero(value.coefficients)) - 1, 0)
        (expression,) = (value - value.loosened(0.0, sums).room).expressions()
        self._aim = (expression, weights) if address is None else None
        if self.pyomo.component("objective") is None:
            self.pyomo.objective = pyo.Objective(expr=expression)
        else:
            self.pyomo.objective.set_value(expression)
            self.pyomo.objective.activate()

    @typed()
    def bound(
        self,
        solver: str | None = None,
        time_limit: float | None = None,
        attack: Attack | None = None,
    ) -> SolveResult:
        """Bound the objective of `pyomo`, your own or the one that `minimise` set, subject to every
        constraint there, your own included.

        The model's constraints hold on every admissible training run; with rows of your own the
        bound is over the runs that satisfy them. Afterwards the variables hold the best point that
        was found, and `dataset` is the adversary's choice there.

        Parameters
        ----------
        solver : str, optional
            ``highs``, ``scip``, ``gurobi``, ``proof`` or an interface of Pyomo's
            ``contrib.solver``; by default HiGHS for linear programs, otherwise SCIP.
        time_limit : float, optional
            Seconds; the bound that is reached by then is returned.
        attack : Attack, optional
            Runs that the bound must not exclude, beside the nominal one and some random ones, if
            they satisfy your rows.

        Returns
        -------
        SolveResult
            In the sense of the objective. Its ``bound`` is a dual bound, moved outward by the
            margin for solvers' tolerances (S9): at most the least value to minimise, at least the
            greatest to maximise; None where the solver gave none. Status ``infeasible`` says that
            the solver found no run that satisfies your rows, and none of those that were tried
            does.

        Raises
        ------
        InvalidInputError
            If there is not exactly one active objective, or it is not linear.
        SolverUnavailableError
            If the solver is unknown, not installed, or cannot prove bounds of such a model.
        SoundnessError
            If the bound excludes a training run that satisfies your rows (S9).
        """
        return bound_objective(
            self,
            choose(solver, self.quadratic, self.kind.binaries),
            time_limit,
            leading_datasets(self.problem, attack),
        )

    @property
    def moving(self) -> NDArray[np.bool_]:
        """Which parameters of θ_stop depend on what the adversary does, shape (p,)."""
        return self._theta.varies

    @property
    def theta(self) -> NDArray[np.float64]:
        """Current values of θ_stop, shape (p,)."""
        return self._theta.values()

    @property
    def _theta(self) -> AffineArray:
        return self._states[-1][: self.problem.network.size]

    @property
    def objective_terms(self) -> tuple[list[Any], list[float], float]:
        """Variables, coefficients and constant of the linear objective."""
        expression: LinearExpression = self.pyomo.objective.expr
        return (
            list(expression.linear_vars),
            list(expression.linear_coefs),
            float(expression.constant),
        )

    @typed()
    def fix(self, dataset: Dataset) -> None:
        """Fix every choice of the adversary to one admissible dataset.

        Raises
        ------
        InvalidInputError
            If the perturbation model does not admit the dataset.
        """
        problem = self.problem
        instance("dataset", dataset, Dataset)
        if not problem.perturbation.admits(problem, dataset):
            raise InvalidInputError(
                "dataset: the perturbation model does not admit it as a change of the training data"
            )
        for values, variables in self._operations.choices.assignments(dataset):
            for variable, value in zip(variables, values, strict=True):
                variable.fix(value, skip_validation=True)

    def unfix(self) -> None:
        """Undo `fix`."""
        for _, variables in self._operations.choices.assignments(self.problem.dataset):
            for variable in variables:
                variable.unfix()

    @property
    def dataset(self) -> Dataset:
        """The dataset that the variables' current values stand for, e.g. the worst one once a
        session has loaded its incumbent."""
        return self._operations.choices.dataset()

    @typed()
    def assign(self, dataset: Dataset) -> None:
        """Give every variable the value that training on `dataset` gives it: a feasible point of
        every kind, and a start for a solver."""
        instance("dataset", dataset, Dataset)
        at_start, choices = self._states[0], self._operations.choices
        begin = state_trajectory(self.problem, dataset)[self.start]
        for values, variables in (*chosen_values(at_start, begin), *choices.assignments(dataset)):
            for variable, value in zip(variables, values, strict=True):
                variable.set_value(value, skip_validation=True)
        for assignment in self._operations.replay:
            assignment.run()

    @typed()
    def replay_error(self, dataset: Dataset | None = None) -> float:
        """The fixed-input oracle: how far the model is from plain SGD on one admissible dataset.

        The model's own definitions are evaluated on the dataset (the nominal one by default) and
        compared with torch.

        Returns
        -------
        float
            The largest of the differences of any parameter at any step from plain SGD, and of the
            violations of any bound or constraint, each relative to its unit (1 for ordinary sizes)
            + its size.
        """
        data = self.problem.dataset if dataset is None else dataset
        self.assign(data)
        trained = state_trajectory(self.problem, data)
        worst = 0.0
        for t, state, box in zip(
            range(self.start, self.stop + 1), self._states, self.steps, strict=True
        ):
            unit = unit_of(size_of(box.lower, box.upper))
            worst = max(
                worst,
                float(np.max(np.abs(state.values() - trained[t]) / (unit + np.abs(trained[t])))),
            )
        return max(worst, self.violation())

    @typed()
    def violation(self) -> float:
        """The largest violation of a bound or constraint at the current values, in its unit,
        relative to (1 + the bound)."""
        model = self.pyomo
        return violation(
            model.component_data_objects(pyo.Var),
            model.component_data_objects(pyo.Constraint, active=True),
        )

    @typed()
    def write(self, path: str | Path, direction: ArrayLike | None = None) -> Path:
        """Write the model as LP, MPS, NL or GAMS, by the ending of `path`; see
        `agtopt.compiler.export.write_model`.

        Parameters
        ----------
        path : str or Path
        direction : array_like, shape (p,), optional
            Objective min direction · θ_stop; by default the active objective, your own included, or
            the first parameter.
        """
        if direction is not None:
            self.minimise(direction)
        elif next(self.pyomo.component_data_objects(pyo.Objective, active=True), None) is None:
            self.minimise(np.eye(self.problem.network.size)[0])
        return write_model(self.pyomo, Path(path)).path
