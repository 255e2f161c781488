"""Evolution by Trotter steps against dense exponentials, and the rules of truncation."""

from __future__ import annotations

import numpy as np
import pytest
from dense import (
    dense_rdm,
    dense_schmidt,
    full_vector,
    left_deviation,
    model_of,
    orthonormality,
    random_state,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Reference
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from tnspin.compile import bonds
from tnspin.errors import InputError
from tnspin.models import HeisenbergChain, KondoHeisenbergChain
from tnspin.mps import MPS, Ledger, tebd
from tnspin.mps.decompose import METHODS
from tnspin.mps.gates import compile_gate, evolution_gate
from tnspin.mps.kernels import update_bond
from tnspin.mps.tebd import Tebd
from tnspin.mps.trotter import TimedLayer
from tnspin.sites import boson, electron, kondo, spin
from tnspin.solvers.tebd import evolve

METHOD_NAMES = ("svd", "gram", "range", "auto")


def xxz(length, s=0.5, J=1.0, Jz=0.7, field=0.3):
    """(kinds, sites, terms) of an XXZ chain in a field that grows along it."""
    items = [(field * (i + 1) / length, "Sz", i) for i in range(length)]
    for i in range(length - 1):
        items += [(J / 2, "Sp", i, "Sm", i + 1), (J / 2, "Sm", i, "Sp", i + 1)]
        items.append((Jz, "Sz", i, "Sz", i + 1))
    return [("spin", s)] * length, (spin(s),) * length, items


def kondo_chain(length, localized, J_sd=0.8, J=0.3):
    """Hopping electrons, coupled to spins 1/2 at ``localized``, which are coupled to each other."""
    kinds = [("kondo", 0.5) if i in localized else ("electron",) for i in range(length)]
    sites = tuple(kondo(0.5) if i in localized else electron() for i in range(length))
    items = []
    for i in range(length - 1):
        for s in ("up", "dn"):
            items += [(-1.0, f"cdag_{s}", i, f"c_{s}", i + 1), (-1.0, f"cdag_{s}", i + 1, f"c_{s}", i)]
    for i in localized:
        for axis in "xyz":
            items.append((-J_sd, f"s{axis}", i, f"S{axis}", i))
            if i + 1 in localized:
                items.append((-J, f"S{axis}", i, f"S{axis}", i + 1))
    return kinds, sites, items


def basis_state(sites, states, names):
    return MPS.product(sites, [np.eye(s.dim)[k] for s, k in zip(sites, states, strict=True)], names)


SYSTEMS = {
    "spins": (xxz(6), [0, 1, 0, 1, 1, 0], ("2Sz",)),
    "spin one": (xxz(4, s=1.0), [0, 2, 1, 2], ("2Sz",)),
    "kondo": (kondo_chain(4, (2, 3)), [1, 2, 1, 3], ("N", "2Sz")),
}
MATRIX = {}


def exact(name, vector, time):
    """exp(-i H t) on a full vector, H from the independent reference."""
    if name not in MATRIX:
        kinds, _, items = SYSTEMS[name][0]
        MATRIX[name] = np.linalg.eigh(Reference(kinds).matrix(items))
    energies, u = MATRIX[name]
    return u @ (np.exp(-1j * energies * time) * (u.conj().T @ vector))


def last(snapshots):
    *_, final = snapshots
    return final


def same_bits(a, b):
    """Whether two states are the same numbers, not just the same state."""
    for x, y in zip((*a.bonds, *a.tensors), (*b.bonds, *b.tensors), strict=True):
        assert all(p.tobytes() == q.tobytes() for p, q in zip(x, y, strict=True))


def truncation_bound(ledger, length):
    """Largest possible error of the vector: each update moves it by the root of its weight.

    The sum of the roots is at most the root of (number of updates times the sum of weights).
    """
    updates = ledger.layers * (length // 2)
    return np.sqrt(updates * ledger.discarded.sum())


# ---------------------------------------------------------------- against dense exponentials


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
    assert 0 < bound
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


# ---------------------------------------------------------------- the rule of truncation


def updated(psi, bond, gate, cutoff, limit, method, seed=0):
    left, middle, right = psi.bonds[bond : bond + 3]
    new, discarded = update_bond(
        *left, middle.keys, middle.dims, right.keys, right.dims,
        *psi.tensors[bond], *psi.tensors[bond + 1],
        psi.site_keys[bond], psi.site_keys[bond + 1], *gate, cutoff, limit, METHODS[method], seed,
    )  # fmt: skip
    return new, discarded


def moved_schmidt(psi, bond, matrix, span):
    """Schmidt values per charge after a gate on the full vector."""
    dims = [site.dim for site in psi.sites]
    tensor = full_vector(psi).reshape(int(np.prod(dims[:bond])), dims[bond] * dims[bond + 1], -1)
    vector = np.einsum("ab,xby->xay", expm(-1j * span * matrix), tensor).ravel()
    return dense_schmidt(vector, psi.sites, bond, psi.charge_names)


RANDOM = {
    "spins": ((spin(0.5),) * 8, ("2Sz",), [0, 1] * 4, xxz(8)[2]),
    "spins, dense": ((spin(0.5),) * 8, (), [0, 1] * 4, xxz(8)[2]),
    "kondo": (kondo_chain(5, (2, 3))[1], ("N", "2Sz"), [1, 2, 1, 3, 0], kondo_chain(5, (2, 3))[2]),
}


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
@pytest.mark.parametrize("cutoff", [0.0, 1e-6, 1e-3, 0.1])
@pytest.mark.parametrize("method", ["svd", "gram", "auto"])
@pytest.mark.parametrize("name", list(RANDOM))
def test_kept_are_the_largest_of_all_sectors(name, method, cutoff, limit):
    sites, names, states, items = RANDOM[name]
    terms = bonds(model_of(sites, items).hamiltonian)
    psi = random_state(sites, names, np.random.default_rng(5), states=states, dim=5)
    psi.canonicalize()
    bond = 2
    new, discarded = updated(psi, bond, evolution_gate(terms.matrix(bond), 0.3), cutoff, limit, method)
    wanted = moved_schmidt(psi, bond, terms.matrix(bond), 0.3)
    flat = np.sort(np.concatenate(list(wanted.values())))[::-1]
    tail = np.append(np.cumsum(flat[::-1] ** 2)[::-1], 0.0)  # weight lost by keeping the first k
    count = len(new[2])
    assert 1 <= count <= limit
    assert discarded == pytest.approx(tail[count], abs=1e-14)
    if count < limit:
        assert discarded <= cutoff + 1e-14
    if count > 1:
        # One less would have cost more than allowed.
        assert tail[count - 1] > cutoff - 1e-14
    accuracy = 1e-12 if method == "svd" else 1e-7
    found = np.sort(new[2])[::-1] * np.sqrt(1 - discarded)
    assert np.abs(found - flat[:count]).max() < accuracy
    # And in the right sectors.
    charges = [tuple(map(int, c)) for c in psi.code.decode(new[0])]
    parts = np.split(new[2], np.cumsum(new[1])[:-1])
    for charge, part in zip(charges, parts, strict=True):
        part = np.sort(part)[::-1] * np.sqrt(1 - discarded)
        assert np.abs(part - wanted[charge][: len(part)]).max() < accuracy


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("name", list(RANDOM))
def test_update_without_truncation_is_exact(name, method):
    """The new two tensors give the moved vector; the right one is orthonormal.

    A Gram matrix leaves the rows of small Schmidt values orthonormal to round-off over their
    square, so the deviation counts with the Schmidt values, as it does in every result.
    """
    sites, names, states, items = RANDOM[name]
    matrix = bonds(model_of(sites, items).hamiltonian).matrix(2)
    psi = random_state(sites, names, np.random.default_rng(6), states=states, dim=4)
    psi.canonicalize()
    dims = [site.dim for site in sites]
    tensor = full_vector(psi).reshape(dims[0] * dims[1], dims[2] * dims[3], -1)
    wanted = np.einsum("ab,xby->xay", expm(-0.02j * matrix), tensor).ravel()
    engine = Tebd(psi, lambda b, t: matrix, [False] * (len(sites) - 1), cutoff=1e-14,
                  bond_dim=1000, method=method, threads=1)  # fmt: skip
    weight = engine._update(2, evolution_gate(matrix, 0.02), 7)
    if method != "range":  # a random state is not what it is for: it reports what it missed
        assert weight < 1e-13
    assert np.linalg.norm(full_vector(engine.state) - wanted) < np.sqrt(weight) + 1e-6
    # What is discarded on the right is missing from the rows on the left.
    assert orthonormality(engine.state, weighted=True) < 2 * weight + 1e-13
    if method in ("svd", "auto"):
        assert orthonormality(engine.state) < 1e-12


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_bond_dimension_and_discarded_weight_within_limits(method):
    """Unless the bond dimension binds, no update discards more than the cutoff."""
    _, sites, items = xxz(10)
    model = model_of(sites, items)
    terms = bonds(model.hamiltonian)
    psi = basis_state(sites, [0, 1] * 5, ("2Sz",))
    cutoff, limit = 1e-6, 9
    engine = Tebd(psi, terms.matrix, [False] * 9, cutoff=cutoff, bond_dim=limit, method=method,
                  threads=1)  # fmt: skip
    bound_by_dim = bound_by_cutoff = 0
    for step in range(30):
        for parity in (0, 1):
            for bond in range(parity, 9, 2):
                gate = engine._gate(bond, TimedLayer(parity, 0.1, 0.0))
                weight = engine._update(bond, gate, step)
                size = int(engine.state.bonds[bond + 1].dims.sum())
                assert size <= limit
                if size < limit:
                    assert weight <= cutoff * (1 + 1e-10)
                    bound_by_cutoff += weight > 0
                else:
                    bound_by_dim += weight > cutoff
    assert bound_by_dim > 20
    assert bound_by_cutoff > 20


@pytest.mark.parametrize("limit", [40, 64])
def test_range_finder_is_nearly_optimal(limit):
    """On a growing and then saturated state it discards a few percent more than the best."""
    _, sites, items = xxz(16, Jz=0.5)
    terms = bonds(model_of(sites, items).hamiltonian)
    psi = basis_state(sites, [0, 1] * 8, ("2Sz",))
    engine = Tebd(psi, terms.matrix, [False] * 15, cutoff=1e-9, bond_dim=limit, method="svd",
                  threads=1)  # fmt: skip
    lost = {"svd": 0.0, "range": 0.0, "auto": 0.0}
    growing = saturated = 0
    for step in range(100):
        for parity in (0, 1):
            layer = TimedLayer(parity, 0.1, 0.0)
            for bond in range(parity, 15, 2):
                gate = engine._gate(bond, layer)
                before = int(engine.state.bonds[bond + 1].dims.sum())
                weights = {
                    name: updated(engine.state, bond, gate, 1e-9, limit, name, 100 * step + bond)[1]
                    for name in lost
                }
                if before > 20:
                    for name in lost:
                        lost[name] += weights[name]
                    growing += before < limit
                    saturated += before == limit
                engine._update(bond, gate, step)
    assert growing > 20 and saturated > 200
    assert lost["range"] >= lost["svd"] * (1 - 1e-6)
    assert lost["range"] <= 1.05 * lost["svd"]
    assert lost["auto"] <= 1.05 * lost["svd"]


def test_a_new_sector_is_found_by_the_range_finder():
    """No old vectors point there: only its random probes see it."""
    sites = (spin(0.5),) * 2
    psi = basis_state(sites, [0, 1], ("2Sz",))
    swap = compile_gate(np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], complex))
    for method in METHOD_NAMES:
        engine = Tebd(psi, lambda b, t: np.eye(4), [False], method=method, threads=1)
        assert engine._update(0, swap, 0) < 1e-15
        assert np.abs(np.abs(full_vector(engine.state)) - [0, 0, 1, 0]).max() < 1e-14


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
        assert all(np.array_equal(a, t.data) for a, t in zip(data, snapshot.state.tensors, strict=True))
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
    with pytest.raises(InputError, match=r"state: .*not conserve \['2Sz'\]"):
        next(evolve(model, psi, [0.0, 1.0]))


@pytest.mark.parametrize("order", [3, 0, 8])
def test_other_orders_are_refused(order):
    model, psi = pulse()
    with pytest.raises(InputError, match=r"solver\.order"):
        list(evolve(model, psi, [0.0, 0.1], order=order))


def test_unknown_methods_are_refused():
    model, psi = pulse()
    with pytest.raises(InputError, match=r"solver\.method: 'svf' is not one of .*did you mean 'svd'"):
        next(evolve(model, psi, [0.0, 0.1], method="svf"))


def test_long_ranged_terms_are_refused():
    sites = (spin(0.5),) * 4
    psi = basis_state(sites, [0, 1, 0, 1], ("2Sz",))
    model = model_of(sites, [(1.0, "Sz", 0, "Sz", 2)])
    with pytest.raises(InputError, match="neighbouring"):
        next(evolve(model, psi, [0.0, 0.1]))


# ---------------------------------------------------------------- coefficients that depend on time


def driven_pair(amplitude=0.8, frequency=1.7, splitting=1.2):
    """Two uncoupled spins in rotating fields: each is Rabi's two-level problem."""
    sites = (spin(0.5),) * 2
    items = []
    for i in range(2):
        items += [
            (splitting, "Sz", i),
            (lambda t: amplitude * np.cos(frequency * t), "Sx", i),
            (lambda t: amplitude * np.sin(frequency * t), "Sy", i),
        ]
    return model_of(sites, items), (amplitude, frequency, splitting)


def rabi(t, amplitude, frequency, splitting):
    """Spin in the lab frame: a rotation by ``frequency`` about z after one in the rotating frame."""
    sx, sy, sz = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
    rotating = ((splitting - frequency) * sz + amplitude * sx) / 2
    return expm(-0.5j * frequency * t * sz) @ expm(-1j * t * rotating), sy


@pytest.mark.parametrize(("order", "within"), [(2, 0.1), (4, 0.2)])
def test_rabi_problem_in_closed_form_converges_at_its_order(order, within):
    model, parameters = driven_pair()
    psi = basis_state(model.local_sites, [0, 0], ())
    stop = 3.0
    u, _ = rabi(stop, *parameters)
    wanted = np.kron(u[:, 0], u[:, 0])
    # Flip probability by Rabi's formula.
    amplitude, frequency, splitting = parameters
    omega = np.hypot(amplitude, splitting - frequency)
    assert abs(u[1, 0]) ** 2 == pytest.approx((amplitude / omega * np.sin(omega * stop / 2)) ** 2)
    steps, errors = np.array([0.3, 0.2, 0.15, 0.1, 0.075]), []
    for dt in steps:
        final = last(evolve(model, psi, [0.0, stop], dt=dt, order=order, cutoff=1e-20,
                            method="svd", threads=1))  # fmt: skip
        errors.append(np.linalg.norm(full_vector(final.state) - wanted))
    assert min(errors) > 1e-9
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(order, abs=within)


def driven_chain(length=5):
    """An exchange-coupled chain whose coupling and field are driven at once."""
    kinds, sites, items = xxz(length)
    for i in range(length - 1):
        items.append((lambda t: 0.6 * np.sin(2 * t), "Sz", i, "Sz", i + 1))
        items.append((lambda t: 0.4 * t**2, "Sp", i, "Sm", i + 1))
        items.append((lambda t: 0.4 * t**2, "Sm", i, "Sp", i + 1))
    items.append((lambda t: np.exp(-(((t - 0.5) / 0.4) ** 2)), "Sx", 2))
    return kinds, sites, items


@pytest.mark.parametrize(("order", "within"), [(1, 0.1), (2, 0.1), (4, 0.2)])
def test_driven_chain_converges_at_its_order(order, within):
    kinds, sites, items = driven_chain()
    reference = Reference(kinds)
    psi = basis_state(sites, [0, 1, 0, 1, 1], ())
    solution = solve_ivp(lambda t, v: -1j * reference.matrix(items, t) @ v, (0.2, 1.2),
                         full_vector(psi), "DOP853", rtol=1e-12, atol=1e-13)  # fmt: skip
    wanted = solution.y[:, -1]
    steps, errors = 1 / np.array([8, 12, 16, 24]), []
    for dt in steps:
        final = last(evolve(model_of(sites, items), psi, [0.2, 1.2], dt=dt, order=order,
                            cutoff=1e-20, method="svd", threads=1))  # fmt: skip
        errors.append(np.linalg.norm(full_vector(final.state) - wanted))
    assert min(errors) > 1e-9
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(order, abs=within)


def test_static_bonds_of_a_driven_chain_and_continuing_it():
    """The gate of a driven bond is never taken from the cache; continuing keeps the numbers."""
    sites = (spin(0.5),) * 4
    items = [*xxz(4)[2], (lambda t: np.sin(3 * t), "Sz", 0)]
    model = model_of(sites, items)
    psi = basis_state(sites, [0, 1, 1, 0], ("2Sz",))
    whole = list(evolve(model, psi, [0.0, 0.5, 1.0], threads=1, bond_dim=3))
    rest = list(evolve(model, whole[1].state, [0.5, 1.0], threads=1, bond_dim=3,
                       ledger=whole[1].ledger))  # fmt: skip
    same_bits(whole[2].state, rest[1].state)


# ---------------------------------------------------------------- random conserving sums


@st.composite
def conserving_systems(draw):
    """A chain of any sites and random Hermitian nearest-neighbour terms that conserve N, Sz, Nb."""
    kinds = draw(st.lists(st.sampled_from(
        [("spin", 0.5), ("spin", 1.0), ("electron",), ("kondo", 0.5), ("boson", 3)]),
        min_size=3, max_size=5))  # fmt: skip
    while np.prod([{"spin": 3, "electron": 4, "kondo": 8, "boson": 3}[k[0]] for k in kinds]) > 600:
        kinds.pop()
    number = st.floats(-1, 1).map(lambda x: round(x, 3))
    items = []
    for i, kind in enumerate(kinds):
        diagonal = {"spin": "Sz", "electron": "n_up", "kondo": "sz", "boson": "n"}[kind[0]]
        items.append((draw(number), diagonal, i))
        if kind[0] == "kondo":
            c = draw(number)
            items += [(c, "sp", i, "Sm", i), (c, "Sp", i, "sm", i)]
    for i in range(len(kinds) - 1):
        for up, down, has in (("Sp", "Sm", ("spin", "kondo")), ("cdag_up", "c_up", ("electron", "kondo")),
                              ("cdag_dn", "c_dn", ("electron", "kondo")), ("bdag", "b", ("boson",)),
                              ("sp", "sm", ("electron", "kondo"))):  # fmt: skip
            if kinds[i][0] in has and kinds[i + 1][0] in has:
                c = complex(draw(number), draw(number))
                # (a b)^H = b^H a^H: the order matters for fermions.
                items += [(c, up, i, down, i + 1), (c.conjugate(), up, i + 1, down, i)]
    makers = {"spin": spin, "electron": electron, "kondo": kondo, "boson": boson}
    sites = tuple(makers[k[0]](*k[1:]) for k in kinds)
    return kinds, sites, items


@settings(max_examples=15, deadline=None)
@given(conserving_systems(), st.integers(0, 2**32), st.sampled_from(METHOD_NAMES))
def test_norm_charges_and_energy_of_any_conserving_sum(system, seed, method):
    kinds, sites, items = system
    model = model_of(sites, items)
    names = model.hamiltonian.conserved()
    h = Reference(kinds).matrix(items)
    assert np.abs(h - h.conj().T).max() < 1e-14
    scale = np.linalg.norm(h, 2)
    psi = random_state(sites, names, np.random.default_rng(seed), dim=3)
    psi.canonicalize()
    start = full_vector(psi)
    charges = psi.total_charge
    energy = np.vdot(start, h @ start).real
    dims = [site.dim for site in sites]
    for snapshot in evolve(model, psi, [0.0, 0.4, 0.8], dt=0.05, order=4, bond_dim=500,
                           cutoff=1e-13, method=method, threads=1):  # fmt: skip
        state = snapshot.state
        vector = full_vector(state)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-11)
        assert state.total_charge == charges
        for name, value in charges.items():
            mean = sum(np.trace(r @ np.diag(s.charge(name))).real
                       for r, s in zip(state.site_rdms(), sites, strict=True))  # fmt: skip
            assert mean == pytest.approx(value, abs=1e-10)
        assert np.abs(state.rdm([1, 0]) - dense_rdm(vector, dims, [1, 0])).max() < 1e-11
        error = 1e-5 + truncation_bound(snapshot.ledger, len(sites))
        assert abs(np.vdot(vector, h @ vector).real - energy) <= 2 * scale * error
        wanted = expm(-1j * snapshot.time * h) @ start
        assert np.linalg.norm(vector - wanted) < error


def test_models_evolve_as_their_terms_do():
    """The packaged Kondo chain and the terms written out here agree through the whole engine."""
    packaged = KondoHeisenbergChain(sites=4, localized=[2, 3], J=0.3 / 4, J_sd=0.8 / 2,
                                    convention="pauli")  # fmt: skip
    (_, sites, items), states, names = SYSTEMS["kondo"]
    psi = basis_state(sites, states, names)
    finals = [
        last(evolve(model, psi, [0.0, 1.0], cutoff=1e-20, method="svd", threads=1))
        for model in (packaged, model_of(sites, items))
    ]
    assert np.abs(full_vector(finals[0].state) - full_vector(finals[1].state)).max() < 1e-12


def test_empty_ledger():
    ledger = Ledger.empty(5)
    assert ledger.norm == 1 and ledger.norm_lost == 0 and ledger.discarded.tolist() == [0] * 4
