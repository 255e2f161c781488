"""Solvers are known by their keys before anything heavy is loaded."""

import subprocess
import sys


def test_keys_of_all_solvers_load_no_engine():
    code = (
        "import sys; from tnspin.solvers import SOLVERS; assert 'tebd' in list(SOLVERS); "
        "print([name for name in ('numba', 'scipy', 'h5py') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
