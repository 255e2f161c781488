"""Quantum trajectories against the master equation, and their bookkeeping."""

from __future__ import annotations

import os

import numpy as np
import pytest
from dense import all_states
from open_systems import (
    SPINS,
    VALVE,
    Lindblad,
    density,
    effective_evolution,
    flips,
    mixing,
    product,
    valve_jumps,
)
from solving import exact, trajectories

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain
from tnspin.numerics.parallel import process_pool
from tnspin.observables import OBSERVABLES
from tnspin.operators.basis import ChargeBasis
from tnspin.runs.record import record
from tnspin.solvers.lindblad.jumps_on_states import spin_operator
from tnspin.solvers.trajectories import Trajectories
from tnspin.solvers.trajectories.sampling import merge
from tnspin.solvers.trajectories.vector import VectorBackend
from tnspin.states.ensemble import Ensemble

TIMES = [0.0, 0.7, 2.0]


def sample(jumps, model=SPINS, state=None, **options):
    state = state if state is not None else product(SPINS, [0, 1, 0])
    options = {"trajectories": 40, "chunk": 5, "workers": 1} | options
    return list(trajectories(model, state, TIMES, jumps=jumps, **options))


def rms(snapshots, model, jumps, rho):
    """Root mean square difference of the averaged density matrix from the master equation's."""
    equation = Lindblad(model, jumps)
    sites = range(model.length)
    parts = [one.state.rdm(sites) - equation.evolve(rho, one.time) for one in snapshots[1:]]
    return np.sqrt(np.mean([np.linalg.norm(part) ** 2 for part in parts]))


# ---------------------------------------------------------------------- what is sampled


@pytest.mark.parametrize(
    "jumps",
    [
        pytest.param(flips(), id="definite"),
        pytest.param(mixing(), id="mixing", marks=pytest.mark.slow),
    ],
)
def test_error_falls_as_one_over_root_of_trajectories(jumps):
    rho = density(product(SPINS, [0, 1, 0]))
    # So many trajectories, and samples of so many, for the error to be known well enough.
    errors = {
        count: np.sqrt(
            np.mean(
                [
                    rms(sample(jumps, trajectories=count, chunk=8, seed=seed), SPINS, jumps, rho)
                    ** 2
                    for seed in range(samples)
                ]
            )
        )
        for count, samples in ((32, 8), (512, 1))
    }
    slope = np.log(errors[512] / errors[32]) / np.log(512 / 32)
    assert slope == pytest.approx(-0.5, abs=0.15)
    assert errors[512] < 0.03


def test_mixture_and_electron():
    """One electron up or down, its sectors changed by jumps; every reduction of the average."""
    members = [product(VALVE, [k, 0, 0, 1], ("N", "2Sz")) for k in (1, 2)]
    mixture = Ensemble(tuple(members), (0.25, 0.75))
    out = sample(valve_jumps(), VALVE, mixture, trajectories=200, chunk=20)
    rho = 0.25 * density(members[0]) + 0.75 * density(members[1])
    equation = Lindblad(VALVE, valve_jumps(), {"N": 1})
    dims = [site.dim for site in VALVE.local_sites]
    for one in out:
        full = equation.evolve(rho, one.time).reshape(dims * 2)
        wanted = np.einsum("abcdaBcd->bB", full)
        assert np.abs(one.state.site_rdms()[1] - wanted).max() < 0.08
        wanted = np.einsum("abcdabCD->cdCD", full).reshape(dims[2] * dims[3], -1)
        assert np.abs(one.state.bond_rdms()[2] - wanted).max() < 0.08
        split = full.reshape([4, 4, 2, 4, 4, 2] * 2)
        wanted = np.einsum("aebcfdaeBcfD->bdBD", split).reshape(4, 4)
        assert np.abs(one.state.rdm([1, 3], keep=[2, 2]) - wanted).max() < 0.08
        assert one.state.norm == pytest.approx(1.0, abs=1e-6)


def test_errors_cover_the_deviations():
    """Deviations from the master equation in units of the error: about 1."""
    jumps = flips()
    equation, rho = Lindblad(SPINS, jumps), density(product(SPINS, [0, 1, 0]))
    names = ("spin", "energy", "log_negativity")
    ratios = []
    for seed in range(10):
        for one in sample(jumps, seed=seed, observables=names)[1:]:
            true = equation.evolve(rho, one.time).reshape((2,) * 6)
            up = np.array([true.trace(0, *p).trace(0, *q)[0, 0].real for p, q in _others()])
            spin = OBSERVABLES["spin"].measure(one)[:, 2]
            ratios.append((spin - (2 * up - 1)) / one.errors["spin"][:, 2])
            assert one.errors["spin"].shape == (3, 3)
            assert np.shape(one.errors["energy"]) == ()
            assert one.errors["log_negativity"] >= 0
    assert 0.7 < np.sqrt(np.mean(np.square(ratios))) < 1.5


def _others():
    """Axes over which to trace (2,)*6 for spins 0, 1 and 2 to be left."""
    return [((2, 5), (1, 3)), ((2, 5), (0, 2)), ((1, 4), (0, 2))]


def test_without_jumps_it_is_closed_evolution():
    state = product(SPINS, [0, 1, 0])
    out = sample((), observables=("spin", "log_negativity"))
    for one, other in zip(out, exact(SPINS, state, TIMES), strict=True):
        assert one.time == other.time
        assert np.abs(one.state.rdm(range(3)) - other.state.rdm(range(3))).max() < 1e-8
        assert not np.any(one.errors["spin"])


def test_jumps_that_cannot_happen_cost_nothing():
    """All spins down, where lowering does nothing: the course without jumps is all there is."""
    down = product(SPINS, [1, 1, 1])
    out = sample(flips()[:1], state=down)
    assert np.abs(out[-1].state.rdm(range(3)) - density(down)).max() < 1e-8


# ---------------------------------------------------------------------- state vectors


@pytest.mark.parametrize("jumps", [flips(0.3), flips(30.0), mixing(2.0)])
def test_decay_between_jumps(jumps):
    """Also where decay is faster than everything else and series off the real axis grow."""
    names = () if jumps[0].charge is None else ("2Sz",)
    backend = VectorBackend(SPINS, jumps, names, Trajectories(tolerance=1e-10))
    state = backend.start(product(SPINS, [0, 1, 0]))
    before = state.amplitudes(all_states(SPINS.local_sites))
    for span in (0.0, 0.3, 4.0):
        after = backend.advance(state, span).amplitudes(all_states(SPINS.local_sites))
        wanted = effective_evolution(SPINS, jumps, before, span)
        assert np.abs(after - wanted).max() < 1e-10


def test_jumps_lead_to_other_sectors():
    backend = VectorBackend(SPINS, flips(), ("2Sz",), Trajectories())
    after = backend.jump(backend.start(product(SPINS, [0, 1, 0])), 0)
    assert after.total_charge == {"2Sz": -1}
    assert abs(after.amplitudes(np.array([[1, 1, 0]]))[0]) == pytest.approx(1.0)


def test_spin_operators_between_sectors():
    sites = VALVE.local_sites
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(4, 4))
    sectors = [ChargeBasis(sites, {"N": 1, "2Sz": q}) for q in (-1, 1)]
    full = ChargeBasis(sites)
    whole = spin_operator(matrix, (1, 3), full, full).toarray()
    tensor = np.einsum("bdBD,ae,pq,cg,rs->apbcrdeqBgsD", matrix.reshape((2,) * 4),
                       *(np.eye(4),) * 4)  # fmt: skip
    assert np.allclose(whole, tensor.reshape(whole.shape), atol=1e-14)
    part = spin_operator(matrix, (1, 3), *sectors).toarray()
    places = [full.index(basis.states) for basis in sectors]
    assert np.allclose(part, whole[np.ix_(places[1], places[0])], atol=1e-14)


# ---------------------------------------------------------------------- who computes it


def test_numbers_depend_on_the_seed_only(tmp_path):
    one = sample(flips(), seed=4)
    for options in ({"workers": 2}, {"store": tmp_path / "chunks"}):
        other = sample(flips(), seed=4, **options)
        assert all(
            np.array_equal(a.state.vector, b.state.vector) for a, b in zip(one, other, strict=True)
        )
    other = sample(flips(), seed=5)
    assert not np.array_equal(one[-1].state.vector, other[-1].state.vector)


def test_a_dead_worker_changes_no_number():
    """What it had to do is done by another: the course without jumps, then the chunks."""
    pools = []

    def pool():
        made = process_pool(1)
        if len(pools) % 2 == 0:
            made.submit(os._exit, 3)
        pools.append(made)
        return made

    one = sample(flips(), seed=4, trajectories=10)
    other = sample(flips(), seed=4, trajectories=10, executor=pool)
    assert len(pools) == 4
    assert all(
        np.array_equal(a.state.vector, b.state.vector) for a, b in zip(one, other, strict=True)
    )


def test_killed_run_continues_with_the_same_numbers(tmp_path):
    whole = sample(flips())
    steps = []

    def stop(progress):
        steps.append(progress.time)
        if len(steps) > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(flips(), store=tmp_path, on_step=stop)
    done = list(tmp_path.glob("chunk-*.h5"))
    assert 0 < len(done) < 8
    stamps = [path.stat().st_mtime_ns for path in done]
    again = sample(flips(), store=tmp_path)
    assert [path.stat().st_mtime_ns for path in done] == stamps
    for a, b in zip(whole, again, strict=True):
        assert np.array_equal(a.state.vector, b.state.vector)


def test_more_trajectories_build_on_those_there_are(tmp_path):
    sample(flips(), store=tmp_path)
    first = (tmp_path / "chunk-0.h5").stat().st_mtime_ns
    more = sample(flips(), store=tmp_path, trajectories=60)
    assert (tmp_path / "chunk-0.h5").stat().st_mtime_ns == first
    fresh = sample(flips(), trajectories=60)
    assert np.array_equal(more[-1].state.vector, fresh[-1].state.vector)


def test_store_of_another_run_is_refused(tmp_path):
    sample(flips(), store=tmp_path)
    for options, key in (({"seed": 1}, "seed"), ({"chunk": 4}, "share")):
        with pytest.raises(InputError, match=f"another run: {key}"):
            sample(flips(), store=tmp_path, **options)
    with pytest.raises(InputError, match=r"another run: rates was \d"):
        sample(flips(0.31), store=tmp_path)
    with pytest.raises(InputError, match="the initial states differ"):
        sample(flips(), store=tmp_path, state=product(SPINS, [1, 0, 0]))


def test_merged_runs(tmp_path):
    parts = [sample(flips(), seed=seed, store=tmp_path / str(seed)) for seed in (0, 1)]
    merged = list(merge(SPINS, [tmp_path / "0", tmp_path / "1"], observables=("spin",)))
    for one, other, both in zip(*parts, merged, strict=True):
        assert np.allclose(both.state.vector, (one.state.vector + other.state.vector) / 2)
    errors = sample(flips(), observables=("spin",))[-1].errors["spin"][:, 2]
    assert np.allclose(merged[-1].errors["spin"][:, 2], errors / np.sqrt(2), rtol=0.5)
    with pytest.raises(InputError, match="not all different"):
        list(merge(SPINS, [tmp_path / "0", tmp_path / "0"]))
    sample(flips(), seed=2, store=tmp_path / "2", chunk=4)
    with pytest.raises(InputError, match="share differs"):
        list(merge(SPINS, [tmp_path / "0", tmp_path / "2"]))


def test_target_error_ends_the_sampling(tmp_path):
    options = {"trajectories": 2000, "target_error": 0.08, "observables": ("log_negativity",)}
    out = sample(flips(), store=tmp_path, **options)
    assert max(one.errors["log_negativity"] for one in out) <= 0.08
    count = len(list(tmp_path.glob("chunk-*.h5")))
    assert count < 100
    assert count % 8 == 0


def test_recorded_with_errors():
    names = ("spin", "log_negativity")
    snapshots = trajectories(
        SPINS, product(SPINS, [0, 1, 0]), TIMES, jumps=flips(), trajectories=20, chunk=5,
        workers=1, observables=names,
    )  # fmt: skip
    result = record(snapshots, names)
    assert result["spin"].shape == result["spin_error"].shape == (3, 3, 3)
    assert result["log_negativity_error"][0] == 0


def test_own_observables_get_errors_too():
    out = sample(flips(), observables={"flip": lambda snapshot: snapshot.state.rdm([1])[0, 0].real})
    assert out[-1].errors["flip"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trajectories": 0}, "solver.trajectories"),
        ({"chunk": 2.5}, "solver.chunk"),
        ({"target_error": -1.0}, "solver.target_error"),
        ({"tolerance": 1.0}, "solver.tolerance"),
        ({"observables": ("spam",)}, "observables: 'spam'"),
        ({"state": np.zeros(8)}, "state: a ndarray"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match=message):
        sample(flips(), **options)


def test_charges_must_be_conserved():
    tilted = HeisenbergChain(sites=3, field=(0.3, 0, 0))
    with pytest.raises(InputError, match="does not conserve '2Sz'"):
        sample(flips(), tilted)
