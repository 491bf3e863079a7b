"""Python's cyclic collector, tuned for processes that live long and hold much."""

import gc

YOUNG, MIDDLE, OLD = 50_000, 20, 100


def settle() -> None:
    """Leave what start-up made out of every later collection, and collect less often.

    Modules, schemas and templates never die, yet each full collection would walk them all: a pause of tens of
    milliseconds, in a process whose own garbage is almost all freed by reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
