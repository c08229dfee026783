"""The errors that agtopt raises: each is an `AgtoptError` and also the fitting built-in error."""


class AgtoptError(Exception):
    """Base of every error that agtopt raises on purpose."""


class InvalidInputError(AgtoptError, ValueError):
    """A value that the field does not allow; the message names field, value and what is allowed."""


class MissingFileError(AgtoptError, FileNotFoundError):
    """A file that was named does not exist."""


class SaveError(AgtoptError, OSError):
    """A file could not be written (a full disk, a folder without permission); nothing of it is left
    half written."""


class SaveWarning(UserWarning):
    """A file beside a result could not be written; the result is whole."""


class UnsupportedError(AgtoptError, NotImplementedError):
    """A combination that has no sound encoding here; the message says why."""


class SolverUnavailableError(AgtoptError, RuntimeError):
    """A solver that is unknown, not installed, not licensed or unable to prove a bound for the
    kind."""


class SoundnessError(AgtoptError, ArithmeticError):
    """A bound contradicts another bound or an attained run (rules S4, S6, S9): never returned,
    always raised."""


class InfeasibleError(SoundnessError):
    """A model does not hold an admissible training run, or is proved to hold none (S4, S9)."""


class BudgetSpentError(AgtoptError, RuntimeError):
    """A release would cost more than what is left of the privacy budget; nothing was released."""
