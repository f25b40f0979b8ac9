"""How fast it is: backlogs drained and latency at a fixed rate, on an embedded stack."""
