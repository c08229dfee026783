"""Verbs: functions with a meaning for each type of their first argument, registered or refused by
name."""

from collections.abc import Callable, Mapping
from functools import singledispatch, update_wrapper
from inspect import isabstract
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from agtopt.errors import UnsupportedError

N = TypeVar("N")
P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Verb(Generic[N, P, R]):
    """`functools.singledispatch` in which only abstract types hand their meanings on.

    What derives from a finished type may differ from it in any way, so it is asked for meanings of
    its own.

    Parameters
    ----------
    refusal : callable
        What is called where no meaning is registered: it raises an error that names the type.

    Attributes
    ----------
    path : str
        Where it is found: ``"agtopt.program.loss.loss_gradient"``.
    """

    def __init__(self, refusal: Callable[Concatenate[N, P], R]) -> None:
        self._meanings = singledispatch(refusal)
        self.path = f"{refusal.__module__}.{refusal.__name__}"
        update_wrapper(self, refusal)

    def __call__(self, noun: N, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.meaning(type(noun))(noun, *args, **kwargs)

    def register(self, *meaning: Any) -> Any:
        """Register a function for the type that its first argument is annotated with, or for a type
        that is named first."""
        return self._meanings.register(*meaning)

    @property
    def registry(self) -> Mapping[type, Callable[..., R]]:
        """What is registered; the refusal stands under `object`."""
        return self._meanings.registry

    def meaning(self, kind: type) -> Callable[..., R]:
        """What is called for instances of a type: all that it derives from must be abstract, up to
        the type that hands the meaning on."""
        owner = next(each for each in kind.__mro__ if each in self.registry)
        lineage = [each for each in kind.__mro__[1:] if issubclass(each, owner)]
        return self.registry[owner if all(map(isabstract, lineage)) else object]


def verb(refusal: Callable[Concatenate[N, P], R]) -> Verb[N, P, R]:
    """Make a verb of the function that refuses, whose signature and docstring are those of the
    verb."""
    return Verb(refusal)


def unregistered(
    field: str, noun: object, wanted: "Verb[Any, Any, Any]", section: str
) -> UnsupportedError:
    """The refusal of a noun.

    Parameters
    ----------
    field : str
        Where the noun stands in a problem.
    noun : object
    wanted : Verb
    section : str
        Of docs/extending.md.
    """
    return UnsupportedError(
        f"{field}: {type(noun).__name__} has no meaning of its own for {wanted.path}; register one "
        f"with {wanted.path}.register "
        f"(docs/extending.md, “{section}”)"
    )
