"""Evolution by Trotter steps: dense exponentials, threads, resuming, ledger, canonical form."""

from __future__ import annotations

import numpy as np
import pytest
from dense import (
    full_vector,
    left_deviation,
    model_of,
    orthonormality,
)
from reference import Reference
from small_chains import (
    METHOD_NAMES,
    basis_state,
    kondo_chain,
    last,
    same_bits,
    truncation_bound,
    xxz,
)
from solving import tebd as evolve

from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.mps import Ledger, tebd
from tnspin.mps.tebd import Tebd
from tnspin.operators.bonds import bonds
from tnspin.operators.sites import spin

SYSTEMS = {
    "spins": (xxz(6), [0, 1, 0, 1, 1, 0], ("2Sz",)),
    "spin one": (xxz(4, s=1.0), [0, 2, 1, 2], ("2Sz",)),
    "kondo": (kondo_chain(4, (2,)), [1, 2, 3, 2], ("N", "2Sz")),
}
MATRIX = {}


def exact(name, vector, time):
    """exp(-i H t) on a full vector, H from the independent reference."""
    if name not in MATRIX:
        kinds, _, items = SYSTEMS[name][0]
        MATRIX[name] = np.linalg.eigh(Reference(kinds).matrix(items))
    energies, u = MATRIX[name]
    return u @ (np.exp(-1j * energies * time) * (u.conj().T @ vector))


@pytest.mark.parametrize("charged", [True, False])
@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("name", list(SYSTEMS))
def test_every_method_follows_the_exponential(name, method, charged):
    (_, sites, items), states, names = SYSTEMS[name]
    psi = basis_state(sites, states, names if charged else ())
    start = full_vector(psi)
    # What remains at order 4 is below 1e-8; squared singular values of a Gram matrix are good to
    # 1e-15 of the largest, so each of the updates may cost its square root.
    cutoff, floor = (1e-24, 1e-8) if method in ("svd", "auto") else (1e-14, 2e-6)
    times = [0.0, 0.5, 1.0]
    run = evolve(model_of(sites, items), psi, times, dt=0.025, order=4, bond_dim=500,
                 cutoff=cutoff, method=method, threads=1)  # fmt: skip
    for snapshot, time in zip(run, times, strict=True):
        assert snapshot.time == time
        error = np.linalg.norm(full_vector(snapshot.state) - exact(name, start, time))
        assert error < floor + truncation_bound(snapshot.ledger, len(sites))
        if method != "range":  # which alone does not look for what it missed
            assert error < 2 * floor


@pytest.mark.parametrize("cutoff", [1e-4, 1e-6, 1e-8])
def test_error_is_what_the_ledger_says(cutoff):
    """The discarded weights bound the deviation from the exact state."""
    (_, sites, items), states, names = SYSTEMS["kondo"]
    psi = basis_state(sites, states, names)
    final = last(evolve(model_of(sites, items), psi, [0.0, 2.0], dt=0.05, order=4, bond_dim=500,
                        cutoff=cutoff, threads=1))  # fmt: skip
    overlap = abs(np.vdot(exact("kondo", full_vector(psi), 2.0), full_vector(final.state)))
    bound = truncation_bound(final.ledger, len(sites))
    assert bound > 0
    assert np.sqrt(max(0.0, 1 - overlap**2)) <= bound + 1e-6


def test_charges_do_not_change_the_numbers():
    (_, sites, items), states, names = SYSTEMS["kondo"]
    results = []
    for chosen in ((), ("N",), ("2Sz",), names):
        psi = basis_state(sites, states, chosen)
        final = last(evolve(model_of(sites, items), psi, [0.0, 1.0], dt=0.1, bond_dim=500,
                            cutoff=1e-20, method="svd", threads=1))  # fmt: skip
        assert set(final.state.charge_names) == set(chosen)
        results.append((full_vector(final.state), final.state.entropies()))
    for vector, entropies in results[1:]:
        assert np.abs(vector - results[0][0]).max() < 1e-11
        assert np.abs(entropies - results[0][1]).max() < 1e-11


def test_models_evolve_as_their_terms_do():
    """The packaged Kondo chain and the terms written out here agree through the whole engine."""
    packaged = KondoHeisenbergChain(sites=4, localized=[2, 3], J=0.3 / 4, J_sd=0.8 / 2,
                                    convention="pauli")  # fmt: skip
    _, sites, items = kondo_chain(4, (2, 3))
    psi = basis_state(sites, [1, 2, 1, 3], ("N", "2Sz"))
    finals = [
        last(evolve(model, psi, [0.0, 1.0], cutoff=1e-20, method="svd", threads=1))
        for model in (packaged, model_of(sites, items))
    ]
    assert np.abs(full_vector(finals[0].state) - full_vector(finals[1].state)).max() < 1e-12


# ---------------------------------------------------------------- threads, resuming, the ledger


def pulse():
    """Four electrons around two localized spins, truncated hard."""
    _, sites, items = kondo_chain(8, (4, 5))
    psi = basis_state(sites, [0, 1, 0, 3, 1, 3, 0, 0], ("N", "2Sz"))
    return model_of(sites, items), psi


@pytest.mark.parametrize("method", ["auto", "svd"])
def test_numbers_do_not_depend_on_threads(method, monkeypatch):
    monkeypatch.setattr(tebd, "_PARALLEL_FROM", 0)
    model, psi = pulse()
    cutoff = 1e-7
    finals = [
        last(evolve(model, psi, [0.0, 1.0, 2.0], bond_dim=24, cutoff=cutoff, method=method,
                    threads=threads))
        for threads in (1, 2, 3)
    ]  # fmt: skip
    for other in finals[1:]:
        same_bits(finals[0].state, other.state)
        assert finals[0].ledger.discarded.tobytes() == other.ledger.discarded.tobytes()
        assert finals[0].ledger.log_kept == other.ledger.log_kept


@pytest.mark.parametrize(("order", "method"), [(1, "auto"), (2, "auto"), (4, "auto"), (2, "svd")])
def test_continuing_gives_the_same_numbers(order, method):
    model, psi = pulse()
    settings_ = {"bond_dim": 16, "cutoff": 1e-7, "order": order, "method": method, "threads": 1}
    times = [0.0, 0.25, 0.5, 0.8, 1.0]
    whole = list(evolve(model, psi, times, **settings_))
    for stop in range(1, 4):
        first = last(evolve(model, psi, times[: stop + 1], **settings_))
        rest = list(evolve(model, first.state, times[stop:], ledger=first.ledger, **settings_))
        for a, b in zip(whole[stop:], rest, strict=True):
            assert a.time == b.time
            same_bits(a.state, b.state)
            assert a.ledger.discarded.tobytes() == b.ledger.discarded.tobytes()
            assert (a.ledger.log_kept, a.ledger.steps, a.ledger.layers) == (
                b.ledger.log_kept, b.ledger.steps, b.ledger.layers,
            )  # fmt: skip


def test_snapshots_stay_as_they_were():
    """Later steps must not write into what was yielded, nor into the initial state."""
    model, psi = pulse()
    before = psi.copy()
    copies, snapshots = [], []
    for snapshot in evolve(model, psi, [0.0, 0.5, 1.0], bond_dim=16, threads=1):
        snapshots.append(snapshot)
        copies.append(([t.data.copy() for t in snapshot.state.tensors],
                       snapshot.ledger.discarded.copy()))  # fmt: skip
    same_bits(before, psi)
    for snapshot, (data, discarded) in zip(snapshots, copies, strict=True):
        assert all(
            np.array_equal(a, t.data) for a, t in zip(data, snapshot.state.tensors, strict=True)
        )
        assert np.array_equal(discarded, snapshot.ledger.discarded)


def test_ledger_sums():
    """Entries are the weights of the updates; the norm is their product."""
    model, psi = pulse()
    terms = bonds(model.hamiltonian)
    engine = Tebd(psi, terms.matrix, [False] * 7, bond_dim=10, cutoff=1e-6, threads=1)
    weights = np.zeros(7)
    kept = 1.0
    plain = engine._update

    def counted(bond, gate, seed):
        nonlocal kept
        weight = plain(bond, gate, seed)
        weights[bond] += weight
        kept *= 1 - weight
        return weight

    engine._update = counted
    for _ in engine.advance(0.0, 0.1, 10):
        pass
    ledger = engine.ledger
    assert np.abs(ledger.discarded - weights).max() < 1e-15
    assert ledger.norm**2 == pytest.approx(kept, abs=1e-13)
    assert ledger.norm_lost == pytest.approx(1 - kept, abs=1e-13)
    assert weights.sum() > 1e-3
    assert (ledger.steps, ledger.dt, ledger.order, ledger.layers) == (10, 0.1, 2, 21)


def test_progress_is_reported_and_may_stop_the_run():
    model, psi = pulse()
    seen = []
    list(evolve(model, psi, [0.0, 0.5, 1.0], bond_dim=10, threads=1, on_step=seen.append))
    times = [p.time for p in seen]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(1.0, abs=1e-12)
    assert max(p.bond_dim for p in seen) == 10
    assert seen[-1].discarded > seen[0].discarded

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.time > 0.45:
            raise Stop

    run = evolve(model, psi, [0.0, 0.4, 0.8], bond_dim=10, threads=1, on_step=stop)
    next(run), next(run)
    with pytest.raises(Stop):
        next(run)


@pytest.mark.parametrize("interval", [0.3, 0.1, 0.25, 0.999999999999])
def test_intervals_are_divided_evenly_and_no_step_is_longer_than_asked(interval):
    model, psi = pulse()
    final = last(evolve(model, psi, [0.0, interval], dt=0.1, bond_dim=4, threads=1))
    assert final.ledger.dt <= 0.1 * (1 + 1e-9)
    assert final.ledger.dt * final.ledger.steps == pytest.approx(interval, rel=1e-12)
    assert final.ledger.steps == int(np.ceil(interval / 0.1 - 1e-9))


def test_empty_ledger():
    ledger = Ledger.empty(5)
    assert ledger.norm == 1 and ledger.norm_lost == 0 and ledger.discarded.tolist() == [0] * 4


# ---------------------------------------------------------------- canonical whenever measured


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_every_snapshot_is_canonical(method, order):
    model, psi = pulse()
    run = evolve(model, psi, [0.0, 0.5, 1.0, 1.5], order=order, bond_dim=12, cutoff=1e-7,
                 method=method, threads=1)  # fmt: skip
    for snapshot in run:
        state = snapshot.state
        assert state.canonical
        assert orthonormality(state) < 1e-12
        assert left_deviation(state) < 1e-12
        assert state.norm == pytest.approx(1, abs=1e-12)
        for i in (0, 3, 6):
            assert np.abs(state.site_rdms()[i] - state.rdm([i])).max() < 1e-12


@pytest.mark.parametrize("charged", [True, False])
def test_number_and_spin_are_exact_however_hard_the_truncation(charged):
    _, sites, items = kondo_chain(20, (12, 13, 14))
    states = [1, 1, 1, 1] + [0] * 16
    states[12:15] = [1, 1, 1]
    psi = basis_state(sites, states, ("N", "2Sz") if charged else ())
    run = evolve(model_of(sites, items), psi, np.arange(0, 8.1, 2.0), bond_dim=8, cutoff=1e-7)
    number = [np.diag(site.charge("N")) for site in sites]
    total = [np.diag(site.charge("2Sz")) for site in sites]
    # Without charges the truncation mixes sectors by what it discards; only the norm is exact.
    within = 1e-10 if charged else 0.5
    for snapshot in run:
        assert snapshot.state.norm == pytest.approx(1, abs=1e-12)
        n = sum(np.trace(r @ q).real for r, q in zip(snapshot.site_rdms, number, strict=True))
        s = sum(np.trace(r @ q).real for r, q in zip(snapshot.site_rdms, total, strict=True))
        assert n == pytest.approx(4, abs=within)
        assert s == pytest.approx(4 - 3, abs=within)
    assert snapshot.ledger.discarded.sum() > 1e-2
    if charged:
        assert snapshot.state.total_charge == {"N": 4, "2Sz": 1}


# ---------------------------------------------------------------- refusals


def test_charges_that_are_not_conserved_are_refused():
    model = HeisenbergChain(sites=4, field=(0.3, 0.0, 0.0))
    psi = basis_state(model.local_sites, [0, 1, 0, 1], ("2Sz",))
    with pytest.raises(InputError, match=r"state: .*not conserve .*2Sz"):
        next(evolve(model, psi, [0.0, 1.0]))


@pytest.mark.parametrize("order", [3, 0, 8])
def test_other_orders_are_refused(order):
    model, psi = pulse()
    with pytest.raises(InputError, match=r"solver\.order"):
        list(evolve(model, psi, [0.0, 0.1], order=order))


def test_unknown_methods_are_refused():
    model, psi = pulse()
    with pytest.raises(
        InputError, match=r"solver\.method = 'svf': must be one of .*did you mean 'svd'"
    ):
        next(evolve(model, psi, [0.0, 0.1], method="svf"))


def test_long_ranged_terms_are_refused():
    sites = (spin(0.5),) * 4
    psi = basis_state(sites, [0, 1, 0, 1], ("2Sz",))
    model = model_of(sites, [(1.0, "Sz", 0, "Sz", 2)])
    with pytest.raises(InputError, match="neighbouring"):
        next(evolve(model, psi, [0.0, 0.1]))
