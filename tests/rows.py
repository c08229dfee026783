"""The rows of a compiled model in exact arithmetic."""

from fractions import Fraction

import pyomo.environ as pyo

from agtopt.formulation.site import ROUNDING


def exact_value(body):
    """Of a linear expression at the values of its variables."""
    total = Fraction(0)
    for term in body.args:
        if not hasattr(term, "is_expression_type"):
            total += Fraction(term)
        elif term.is_variable_type():
            total += Fraction(term.value)
        else:
            total += Fraction(term.args[0]) * Fraction(term.args[1].value)
    return total


def missed(model):
    """What the present values violate, by name; and by how much, in rooms, they miss the equation
    that they miss most."""
    rooms, most = model.component(ROUNDING), 0.0
    every = model.component_data_objects(pyo.Var)
    wrong = [
        f"{v.name}: {v.value} is not in [{v.lb}, {v.ub}]"
        for v in every
        if not v.lb <= v.value <= v.ub
    ]
    for row in model.component_data_objects(pyo.Constraint):
        room = Fraction(rooms.get(row, 0.0)) if rooms is not None else Fraction(0)
        value = exact_value(row.body)
        over = max(
            Fraction(row.lb) - value if row.has_lb() else 0,
            value - Fraction(row.ub) if row.has_ub() else 0,
        )
        most = max(most, float(over / room)) if room else most
        if over > room:
            wrong.append(f"{row.name}: by {float(over)}, and its room is {float(room)}")
    return wrong, most
