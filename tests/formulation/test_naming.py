import logging

import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtopt.formulation.naming import add_component, component_name

RESERVED = sorted(set(dir(pyo.Block(concrete=True))) | set(dir(pyo.ConcreteModel())))


def test_pyomo_reserves_the_words_that_this_is_about():
    assert {
        "keys",
        "values",
        "items",
        "index",
        "model",
        "name",
        "type",
        "dim",
        "clone",
        "write",
        "display",
    } <= set(RESERVED)


def test_a_reserved_word_gets_a_mark_and_can_be_a_component():
    block = pyo.ConcreteModel()
    for name in RESERVED:
        add_component(block, name, pyo.Var())
    names = [component.local_name for component in block.component_objects(pyo.Var)]
    assert len(set(names)) == len(RESERVED)
    assert all(
        component_name(name) == name or component_name(name).startswith(f"{name.strip('_')[:40]}_h")
        for name in RESERVED
    )


@pytest.mark.parametrize("name", ["dense1", "dense1_weight", "relu1_product", "Conv2d_3", "_x"])
def test_other_words_stay(name):
    assert component_name(name) == name


@given(st.text(max_size=100), st.text(max_size=100))
def test_names_are_words_and_differ(first, second):
    assert component_name(first).isascii()
    assert component_name(first).replace("_", "a").isalnum()
    assert len(component_name(first)) <= 63
    assert (component_name(first) == component_name(second)) == (first == second)


def test_two_components_that_ask_for_one_name_get_two(caplog):
    model = pyo.ConcreteModel()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            add_component(model, "relu1_product", pyo.Var([1, 2]))
    assert [part.local_name for part in model.component_objects(pyo.Var)] == [
        "relu1_product",
        "relu1_product_again2",
        "relu1_product_again3",
    ]
    assert not caplog.records
