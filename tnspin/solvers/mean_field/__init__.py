"""Product states of spins under a Hamiltonian and a bath."""
