"""What tests of drivers leave behind is forgotten."""

import pytest

from agtopt.drivers import stage


@pytest.fixture
def closed_sessions():
    yield
    stage.forget_models()
