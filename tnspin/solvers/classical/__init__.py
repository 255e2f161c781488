"""Classical spins: Landau-Lifshitz-Gilbert equation, integrator, comparison with quantum runs."""
