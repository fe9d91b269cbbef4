"""Every error crosses processes: Celery, executors and tests pickle them."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil

import quarry
from quarry.errors import QuarryError

_MESSAGE = "disk full; free some space"


def error_classes() -> list[type[QuarryError]]:
    """All error classes of the package, wherever they are defined."""
    for module in pkgutil.walk_packages(quarry.__path__, "quarry."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    classes, waiting = {QuarryError}, [QuarryError]
    while waiting:
        found = [cls for cls in waiting.pop().__subclasses__() if cls.__module__.startswith("quarry")]
        classes.update(found)
        waiting += found
    return sorted(classes, key=lambda cls: cls.__qualname__)


def test_errors_of_quarry_survive_pickling():
    """Class, text and attributes are the same afterwards, also of classes that ask for more than a message."""
    classes = error_classes()
    assert len(classes) > 15
    for cls in classes:
        error = cls.__new__(cls, _MESSAGE)
        QuarryError.__init__(error, _MESSAGE, retryable=True, context={"path": "/data"})
        error.extra = ["more", 1]
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is cls
        assert (str(again), again.args, again.__dict__) == (str(error), error.args, error.__dict__)


def test_errors_made_by_their_constructors_survive_pickling():
    """The constructor that callers use leaves nothing that a pickle would lose."""
    for cls in error_classes():
        positional, named = [], {}
        for name, parameter in inspect.signature(cls).parameters.items():
            if parameter.default is not parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
                continue
            value = 400 if parameter.annotation in {"int", int} else _MESSAGE
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[name] = value
            else:
                positional.append(value)
        error = cls(*positional, **named)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is cls
        assert (str(again), again.args, again.__dict__) == (str(error), error.args, error.__dict__)


def test_every_error_has_a_code_of_its_own():
    """Logs and results name errors by code; two classes never share one."""
    codes = {cls: cls.code for cls in error_classes()}
    assert len(set(codes.values())) == len(codes)
