"""Observables by name: functions of a snapshot, with what a result file says about them.

Adding one is one function with the decorator `observable`, or one class, in any file of this
folder or in a file of one's own.
"""

from tnspin.observables.base import OBSERVABLES, Observable, chosen, observable

__all__ = ["OBSERVABLES", "Observable", "chosen", "observable"]
